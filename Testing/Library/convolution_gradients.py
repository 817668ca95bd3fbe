"""Compare convolutions by oneDNN with PyTorch's own arithmetic; also a program without MONAI.

    python convolution_gradients.py

Prints where they differ; the exit code is 1 if they do. ONEDNN_MAX_CPU_ISA selects the processor.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.conv import _ConvNd

Convolve = Callable[..., torch.Tensor]

KERNELS_AND_STRIDES = [(1, 1), (3, 1), (3, 2), (4, 2), (8, 2)]
SIZES = [(1, 1, 1), (2, 2, 2), (2, 5, 3), (8, 8, 8)]
MODULE = Path(__file__).resolve().parents[2] / "GenSegLib" / "networks" / "convolution.py"


def gradients(
    convolve: Convolve, layer: _ConvNd, features: torch.Tensor, weight: torch.Tensor, native: bool
) -> list[torch.Tensor]:
    """Output and gradients of a layer, by oneDNN or by PyTorch's own arithmetic in float64."""
    with torch.backends.mkldnn.flags(enabled=not native):
        kind = torch.float64 if native else features.dtype
        leaves = [each.detach().to(kind).requires_grad_() for each in (features, weight)]
        output = convolve(layer, leaves[0], leaves[1], None)
        seed = torch.linspace(-9, 9, output.numel()).sin().reshape(output.shape).to(output.dtype)
        return [output, *torch.autograd.grad(output, leaves, seed)]


def deviations(convolve: Convolve, dtype: torch.dtype, transposed: bool) -> list[tuple[Any, ...]]:
    """Kernel, stride and grid of the layers whose output or gradients are wrong."""
    found = []
    for (kernel, stride), size in product(KERNELS_AND_STRIDES, SIZES):
        padding = (kernel - 1) // 2
        grid = tuple(max(each, kernel - 2 * padding) for each in size)
        kind = torch.nn.ConvTranspose3d if transposed else torch.nn.Conv3d
        layer = kind(16, 16, kernel, stride=stride, padding=padding)
        inputs = torch.randn(2, 16, *grid).to(dtype), layer.weight.detach().to(dtype)
        pairs = zip(*(gradients(convolve, layer, *inputs, native) for native in (False, True)))
        if not all((ours.double() - exact).norm() <= 0.03 * exact.norm() for ours, exact in pairs):
            found.append((kernel, stride, size))
    return found


def main() -> int:
    spec = spec_from_file_location("convolution", MODULE)  # its package imports MONAI
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    kinds = product((torch.float32, torch.bfloat16), (False, True))
    found = [(*kind, each) for kind in kinds for each in deviations(module.convolve, *kind)]
    print(*found, sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
