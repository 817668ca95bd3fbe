"""ONNX Runtime in place of PyTorch where it is installed and faster.

On an AMD EPYC it needs half of PyTorch's time for a DynUNet at 256 x 256 in bfloat16, in float32
(`Testing/Benchmarks/live.py`).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from ..computing.thread_tuning import time_step
from ..models.export_onnx import OnnxSession, export_onnx
from ..networks.dual_normalization import dual_part
from ..presets import Preset

_MIN_SPEEDUP = 1.1


class _OnnxNetwork(nn.Module):
    """A network of windows (batch, channel, x, y, z) in ONNX Runtime, to logits."""

    def __init__(self, session: OnnxSession) -> None:
        super().__init__()
        self._session = session

    def forward(self, windows: Tensor) -> Tensor:
        probabilities = self._session(windows)
        return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()


def fastest_network(model_folder: Path, network: nn.Module, preset: Preset) -> nn.Module:
    """Return the faster one of a model's network on the CPU and the same in ONNX Runtime.

    ONNX Runtime sees windows alone, unlike a network that compares whole images with labeled ones.

    Args:
        model_folder: of the model.
        network: of windows (batch, channel, x, y, z) to logits.
        preset: of the model.
    """
    installed = all(find_spec(name) is not None for name in ("onnx", "onnxruntime"))
    if not installed or preset.context_slices or preset.spatial_dims != 2:
        return network
    dual = dual_part(network)
    if dual is not None and dual.knows_typical:
        return network
    other = _onnx_network(model_folder)
    if other is None or _seconds(other, preset) * _MIN_SPEEDUP >= _seconds(network, preset):
        return network
    return other


def _onnx_network(model_folder: Path) -> nn.Module | None:
    """Return a model's network in ONNX Runtime; None if it cannot run images of any size."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "network.onnx")
        try:
            _, any_size = export_onnx(model_folder, file)
        except Exception:  # whatever ONNX Runtime cannot do, PyTorch can
            return None
        return _OnnxNetwork(OnnxSession(file.read_bytes())) if any_size else None


@torch.no_grad()
def _seconds(network: nn.Module, preset: Preset) -> float:
    windows = torch.rand(1, preset.channels, *preset.patch_size, 1)
    return time_step(lambda: network(windows))
