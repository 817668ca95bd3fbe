"""Model folders with tiny networks, some with known predictions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from GenSegLib.models.folder import ModelMetadata
from GenSegLib.models.weights import save_model
from GenSegLib.networks import build_segmenter, segmenter_target
from GenSegLib.presets import Preset, load_preset

PRESET = replace(
    load_preset("hippocampus-mri"),
    patch_size=(16, 16, 16),
    largest_component=False,
    mirror_axes=(),
)
NETWORK = "unet"


def tiny_args(classes: int = 3, dims: int = 3, channels: int = 1) -> dict[str, Any]:
    """A U-Net with two levels."""
    return {
        "spatial_dims": dims,
        "in_channels": channels,
        "out_channels": classes,
        "channels": [4, 8],
        "strides": [2],
        "num_res_units": 0,
    }


def tiny_metadata(preset: Preset = PRESET, **changes: Any) -> ModelMetadata:
    labels = preset.labels or {1: "Bright"}
    metadata = ModelMetadata(
        name="tiny",
        preset=preset,
        labels=labels,
        network=NETWORK,
        network_target=segmenter_target(NETWORK),
        network_args=tiny_args(1 + len(labels), preset.spatial_dims, preset.input_channels),
        cases=3,
        validation={"dice": 0.5},
    )
    return replace(metadata, **changes)


def tiny_state(args: dict[str, Any], seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return dict(build_segmenter(NETWORK, args).state_dict())


def save_tiny_model(folder: Path, preset: Preset = PRESET, **changes: Any) -> ModelMetadata:
    metadata = tiny_metadata(preset, **changes)
    save_model(folder, metadata, tiny_state(metadata.network_args))
    return metadata


def save_bright_model(folder: Path, preset: Preset) -> ModelMetadata:
    """A model that labels every voxel that is much brighter than the mean of its window.

    Its SegResNet has one level whose residual block adds nothing, so that the image itself reaches
    the last normalization and its threshold.
    """
    return _save_threshold(folder, preset, {})


def save_threshold_model(folder: Path, preset: Preset) -> ModelMetadata:
    """A model that labels every voxel above the center of its CT window.

    The bright model with batch normalization, which is the identity in evaluation mode.
    """
    return _save_threshold(folder, preset, {"norm": "batch"})


def _save_threshold(folder: Path, preset: Preset, changes: dict[str, Any]) -> ModelMetadata:
    args: dict[str, Any] = {
        "spatial_dims": preset.spatial_dims,
        "in_channels": preset.input_channels,
        "init_filters": 8,
        "blocks_down": [1],
        "blocks_up": [],
        "out_channels": 2,
        **changes,
    }
    metadata = tiny_metadata(
        preset,
        network="segresnet",
        network_target=segmenter_target("segresnet"),
        network_args=args,
    )
    network = build_segmenter("segresnet", args)
    state = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    own_slice, center = preset.context_slices, (1,) * preset.spatial_dims
    state["convInit.conv.weight"][(0, own_slice, *center)] = 1
    state["conv_final.0.weight"][:] = 1
    state["conv_final.2.conv.weight"][1, 0] = 20
    state["conv_final.2.conv.bias"][0] = 10
    for name, value in state.items():
        if name.endswith("running_var"):
            value[...] = 1
    save_model(folder, metadata, state)
    return metadata
