"""Exports a model's network as ONNX; the file's metadata describe the preprocessing.

Uses PyTorch's older exporter: for these networks it is about twenty times as fast as the newer one,
needs no further package, and its result accepts images of other sizes than the patch. onnx and
onnxruntime are an extra, `onnx`.
"""

from __future__ import annotations

import json
import warnings
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Union

import torch
from torch import Tensor, nn

from ..errors import GenSegError
from ..files import write_bytes
from ..presets import Preset
from .export_check import VolumeProbabilities, example_shape, largest_difference
from .folder import ModelMetadata
from .weights import load_segmenter

_OPSET = 17
_FIXED_SIZE = ("unetr", "swin-unetr", "swin-unet")

Norm = Union[nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm]


def require_packages() -> None:
    """Check that the packages for ONNX are installed.

    Raises:
        GenSegError: packages are missing.
    """
    missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise GenSegError(
            f"ONNX export needs more packages; install them with: pip install {' '.join(missing)}"
        )


def export_onnx(model: Path, file: Path) -> tuple[float, bool]:
    """Write a network from `image` to `probabilities`, (batch, channel or class, x, y, z).

    The image must be oriented, resampled and normalized as the entry `genseg` of the file's
    metadata says; the batch may have any size.

    Returns:
        The largest difference of probabilities between onnxruntime and the model, and whether the
        image may have another size than the patch, a multiple of the preset's `multiple`.

    Raises:
        GenSegError: the model cannot be read, packages are missing, or the exported network
            differs from the model; the file is not written then.
    """
    require_packages()
    segmenter, metadata = load_segmenter(model)
    preset = metadata.preset
    network = VolumeProbabilities(segmenter, preset).eval()
    any_size = metadata.network not in _FIXED_SIZE
    shape = example_shape(preset)
    data = _with_metadata(_export(network, shape, _varying_axes(preset, any_size)), metadata)
    shapes = [(1, *shape), (3, *shape)]
    if any_size:
        larger = [size + preset.multiple for size in preset.patch_size]
        shapes.append((1, shape[0], *larger, *shape[1 + len(larger) :]))
    if preset.spatial_dims == 2:
        shapes.append((1, *shape[:-1], 1))
    difference = largest_difference(network, OnnxSession(data), shapes)
    write_bytes(file, data)
    return difference, any_size


def _varying_axes(preset: Preset, any_size: bool) -> dict[int, str]:
    """Return the axes of (batch, channel, x, y, z) that may have another size than the example."""
    axes = {0: "batch"}
    if any_size:
        axes.update({2: "x", 3: "y", 4: "z"})
    if preset.spatial_dims == 2:
        axes[4] = "z"
    return axes


@torch.no_grad()
def _export(network: nn.Module, shape: tuple[int, ...], axes: dict[int, str]) -> bytes:
    exported = deepcopy(network)
    _replace_norms(exported)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            exported,
            (torch.zeros(2, *shape),),
            Path(folder, "network.onnx"),
            input_names=["image"],
            output_names=["probabilities"],
            dynamic_axes={"image": axes, "probabilities": axes},
            opset_version=_OPSET,
            dynamo=False,
        )
        return Path(folder, "network.onnx").read_bytes()


def _with_metadata(data: bytes, metadata: ModelMetadata) -> bytes:
    import onnx

    model = onnx.load_from_string(data)
    own = metadata.to_json()["genseg"]
    onnx.helper.set_model_props(model, {"genseg": json.dumps(own), "name": metadata.name})
    onnx.checker.check_model(model)
    return model.SerializeToString()


class OnnxSession:
    """A network in onnxruntime on the CPU, from images to probabilities as `export_onnx`."""

    def __init__(self, data: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = torch.get_num_threads()
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(data, options, providers=providers)

    def __call__(self, image: Tensor) -> Tensor:
        """Return the probabilities of images (batch, channel, x, y, z)."""
        (result,) = self._session.run(["probabilities"], {"image": image.numpy()})
        return torch.from_numpy(result)


class _StableNorm(nn.Module):
    """Instance or group normalization by nested means, one axis at a time.

    Runtimes may sum a channel naively in float32. Where much of an image is constant, like air in a
    windowed CT, all addends are rounded alike: onnxruntime's instance normalization changes the
    probabilities of a `dynunet` by 5e-3 on 96x96x96 voxels. Nested means sum few numbers at a time
    and are as fast on a CPU (not measured on a GPU).
    """

    def __init__(self, norm: Norm) -> None:
        super().__init__()
        self.eps, self.bias = norm.eps, norm.bias
        self.weight: Tensor | None = norm.weight
        self.groups = norm.num_groups if isinstance(norm, nn.GroupNorm) else None

    def forward(self, images: Tensor) -> Tensor:
        if self.groups is None:
            normalized = self._normalize(images)
        else:
            normalized = self._normalize(images.unflatten(1, (self.groups, -1))).flatten(1, 2)
        if self.weight is None:
            return normalized
        sides = (1,) * (images.ndim - 2)
        return normalized * self.weight.view(-1, *sides) + self.bias.view(-1, *sides)

    def _normalize(self, groups: Tensor) -> Tensor:
        centered = groups - _nested_mean(groups)
        return centered / (_nested_mean(centered**2) + self.eps).sqrt()


def _replace_norms(network: nn.Module) -> None:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, (nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm)):
                setattr(module, name, _StableNorm(child))


def _nested_mean(groups: Tensor) -> Tensor:
    """Return the mean of each group (batch, group, ...) with all axes kept."""
    for axis in reversed(range(2, groups.ndim)):
        groups = groups.mean(axis, keepdim=True)
    return groups
