"""Weights of a model folder, stored as plain tensors because unpickling could run any code."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from ..errors import GenSegError
from ..files import atomic_folder, require_unused, write_bytes
from ..networks import build_segmenter
from ..networks.segmenters import check_patch_size
from ..outputs import require_own
from ..presets import PREPROCESSING
from .folder import FILES, METADATA, WEIGHTS, ModelMetadata, write_manifest, write_model_files
from .manifest import MANIFEST, verify

_SIZE_TOLERANCE = 1 << 20  # bytes
_PREPROCESSING = (*PREPROCESSING, "patch_size", "context_slices")


def save_model(folder: Path, metadata: ModelMetadata, state: Mapping[str, Tensor]) -> None:
    """Write a complete model folder atomically; an older model is replaced.

    Raises:
        GenSegError: the folder has other content, or cannot be written.
    """

    def check_replaceable() -> None:
        if (folder / MANIFEST).is_file():
            require_own(folder, (*FILES, MANIFEST))
        else:
            require_unused(folder)

    with atomic_folder(folder, check_replaceable) as temporary:
        write_model_files(temporary, metadata)
        save_weights(temporary, state)


def save_weights(folder: Path, state: Mapping[str, Tensor]) -> None:
    """Write a network's state dict into a model folder and update the manifest.

    Raises:
        GenSegError: the folder cannot be written.
    """
    plain = {name: value.detach().cpu().clone() for name, value in state.items()}
    stream = io.BytesIO()
    torch.save(plain, stream)
    write_bytes(folder / WEIGHTS, stream.getvalue())
    write_manifest(folder)


def load_segmenter(
    folder: Path, device: torch.device | str = "cpu"
) -> tuple[nn.Module, ModelMetadata]:
    """Load a model: the segmenter in evaluation mode on a device, and its metadata.

    Raises:
        GenSegError: this is not a model folder, a file was modified or corrupted, the weights are
            not plain tensors or do not match the network, or the network does not match the labels.
    """
    metadata = ModelMetadata.load(folder)
    verify(folder, *FILES)
    size = (folder / WEIGHTS).stat().st_size
    with _limit_parameters(size, f"{folder / METADATA}"):
        network = build_segmenter(metadata.network, metadata.network_args)
    _require_match(folder, metadata, network)
    try:
        state = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except Exception as fault:  # PyTorch raises many types for corrupted files
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise GenSegError(
            f"{folder / WEIGHTS} does not contain weights for {metadata.network!r} ({reason}); "
            "train again or get a new copy of the model"
        ) from fault
    return network.to(device).eval(), metadata


def load_ensemble(
    folders: Sequence[Path], device: torch.device
) -> tuple[list[nn.Module], ModelMetadata]:
    """Load models that share their preprocessing and labels.

    Returns:
        The segmenters on the device, and the metadata of the first model.

    Raises:
        GenSegError: a model cannot be loaded, or it does not match the first one.
    """
    networks, metadata = zip(*(load_segmenter(folder, device) for folder in folders))
    first = metadata[0]
    for folder, other in zip(folders[1:], metadata[1:]):
        if other.labels != first.labels:
            raise GenSegError(f"{folder} and {folders[0]} have different labels; omit one of them")
        for name in _PREPROCESSING:
            if getattr(other.preset, name) != getattr(first.preset, name):
                raise GenSegError(
                    f"{folder} and {folders[0]} were trained with a different {name}; omit one of "
                    "them"
                )
    return list(networks), first


def _require_match(folder: Path, metadata: ModelMetadata, network: nn.Module) -> None:
    """Check that the network fits the channels, labels and patch size of the metadata."""
    preset = metadata.preset
    try:
        check_patch_size(
            network, preset.input_channels, len(metadata.label_values), preset.patch_size
        )
    except GenSegError as fault:
        raise GenSegError(f"{folder / METADATA}: {fault}; get a new copy of the model") from fault


@contextmanager
def _limit_parameters(size: int, source: str) -> Iterator[None]:
    """Refuse to build a network with more bytes of parameters than its weights file has.

    The metadata of an untrusted model could otherwise exhaust the memory. PyTorch calls the hook
    for each parameter before its memory is touched.

    Raises:
        GenSegError: the network is larger, or cannot be allocated; the message starts with
            `source`.
    """
    message = f"{source} describes a network larger than its weights; get a new copy of the model"
    total = 0

    def count(_: nn.Module, __: str, parameter: nn.Parameter | None) -> None:
        nonlocal total
        total += 0 if parameter is None else parameter.numel() * parameter.element_size()
        if total > size + _SIZE_TOLERANCE:
            raise GenSegError(message)

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    except (RuntimeError, MemoryError, OverflowError) as fault:
        raise GenSegError(message) from fault
    finally:
        hook.remove()
