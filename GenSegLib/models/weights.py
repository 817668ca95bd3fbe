"""The weights of a model folder: plain tensors, since an unpickled file could run any code."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import GenSegError
from ..files import atomic_folder, require_unused, write_bytes
from ..networks import build_segmenter
from ..networks.window_trial import require_windows
from ..outputs import require_own
from .folder import FILES, METADATA, WEIGHTS, ModelMetadata, seal, write_bundle
from .manifest import MANIFEST, verify
from .weight_limit import weights_within


def save_model(folder: Path, metadata: ModelMetadata, state: Mapping[str, Tensor]) -> None:
    """Write a whole model folder in one stroke, in place of an older model.

    Raises:
        GenSegError: the folder holds something else, or cannot be written.
    """

    def permit() -> None:
        if (folder / MANIFEST).is_file():
            require_own(folder, (*FILES, MANIFEST))
        else:
            require_unused(folder)

    with atomic_folder(folder, permit) as temporary:
        write_bundle(temporary, metadata)
        save_weights(temporary, state)


def save_weights(folder: Path, state: Mapping[str, Tensor]) -> None:
    """Write a network's state dict into a model folder and seal it.

    Raises:
        GenSegError: the folder cannot be written.
    """
    plain = {name: value.detach().cpu().clone() for name, value in state.items()}
    stream = io.BytesIO()
    torch.save(plain, stream)
    write_bytes(folder / WEIGHTS, stream.getvalue())
    seal(folder)


def load_segmenter(
    folder: Path, device: torch.device | str = "cpu"
) -> tuple[nn.Module, ModelMetadata]:
    """Read a model folder: the segmenter in evaluation mode on a device, and what it needs.

    Raises:
        GenSegError: the folder is none, was changed or damaged, holds something else than
            tensors, or tensors that do not fit the network, or the network does not fit the labels.
    """
    metadata = ModelMetadata.load(folder)
    verify(folder, *FILES)
    size = (folder / WEIGHTS).stat().st_size
    with weights_within(size, f"{folder / METADATA}"):
        network = build_segmenter(metadata.network, metadata.network_args)
    _require_fit(folder, metadata, network)
    try:
        state = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except Exception as fault:  # whatever PyTorch's readers stumble over in a damaged file
        reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
        raise GenSegError(
            f"{folder / WEIGHTS} does not hold the weights of {metadata.network!r} ({reason}); "
            "train again or get the model anew"
        ) from fault
    return network.to(device).eval(), metadata


def _require_fit(folder: Path, metadata: ModelMetadata, network: nn.Module) -> None:
    """Refuse a network that cannot do what the rest of the metadata says of it."""
    preset = metadata.preset
    try:
        require_windows(network, preset.channels, len(metadata.label_values), preset.patch_size)
    except GenSegError as fault:
        raise GenSegError(f"{folder / METADATA}: {fault}; get the model anew") from fault
