"""Exports a model's network as ONNX, with what is needed to prepare images in its metadata.

PyTorch's older exporter is used: for these networks it is some twenty times as fast as the newer
one, needs no further package, and its result takes images of other sizes than the patch. onnx and
onnxruntime are an extra, `onnx`.
"""

from __future__ import annotations

import json
import warnings
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from ..errors import GenSegError
from ..files import write_bytes
from .exporting import Probabilities, largest_difference
from .folder import ModelMetadata
from .steady_norms import steady_norms
from .weights import load_segmenter

_OPSET = 17
_FIXED_SIZE = ("unetr", "swin-unetr")


def require_packages() -> None:
    """Make sure that ONNX can be written and checked.

    Raises:
        GenSegError: packages are missing.
    """
    missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise GenSegError(
            f"ONNX needs more packages; install them with: pip install {' '.join(missing)}"
        )


def export_onnx(model: Path, file: Path) -> tuple[float, bool]:
    """Write a network from `image` to `probabilities`, (batch, channel or class, x, y, z).

    The image is one that was oriented, resampled and normalized as the entry `genseg` of the
    file's metadata says; the batch may have any size.

    Returns:
        The largest difference of probabilities between onnxruntime and the model, and whether the
        image may have another size than the patch, a multiple of the preset's `multiple`.

    Raises:
        GenSegError: the model cannot be read, packages are missing, or the file would differ; then
            it is not written.
    """
    require_packages()
    segmenter, metadata = load_segmenter(model)
    network = Probabilities(segmenter).eval()
    any_size = metadata.network not in _FIXED_SIZE
    shape = (metadata.preset.channels, *metadata.preset.patch_size)
    data = _with_metadata(_export(network, shape, any_size), metadata)
    shapes = [(1, *shape), (3, *shape)]
    if any_size:
        larger = [size + metadata.preset.multiple for size in metadata.preset.patch_size]
        shapes.append((1, shape[0], *larger))
    difference = largest_difference(network, _Session(data), shapes)
    write_bytes(file, data)
    return difference, any_size


@torch.no_grad()
def _export(network: Probabilities, shape: tuple[int, ...], any_size: bool) -> bytes:
    exported = deepcopy(network)
    steady_norms(exported)
    axes = {0: "batch"}
    if any_size:
        axes.update({2 + axis: name for axis, name in zip(range(len(shape) - 1), "xyz")})
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


class _Session:
    """The network as onnxruntime runs it on the CPU."""

    def __init__(self, data: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = torch.get_num_threads()
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(data, options, providers=providers)

    def __call__(self, image: Tensor) -> Tensor:
        (result,) = self._session.run(["probabilities"], {"image": image.numpy()})
        return torch.from_numpy(result)
