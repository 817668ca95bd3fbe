"""Registry of segmenters over MONAI's networks.

A segmenter is built from its name and JSON arguments, so that loading a model folder never executes
code from it. In eval mode every segmenter maps images (batch, channel, *shape) to logits
(batch, class, *shape); in training mode those with deep supervision return a tuple of the logits of
all levels, finest first, each at its own resolution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import nn

from ..errors import GenSegError
from .convolution import fix_small_grid_gradients
from .deep_supervision import keep_resolution_of_levels

Arguments = dict[str, Any]

_COMPUTED_VOXELS = 2**17  # in a quarter of a second on one core


@dataclass(frozen=True)
class Request:
    """What a segmenter is built for: channels, classes, dimensions and the patch in voxels."""

    in_channels: int
    out_channels: int
    spatial_dims: int
    patch_size: tuple[int, ...]


@dataclass(frozen=True)
class Entry:
    """Import path of a segmenter's class, and the function that returns its arguments."""

    target: str
    arguments: Callable[[Request], Arguments]


def _channels(request: Request) -> Arguments:
    return {
        "spatial_dims": request.spatial_dims,
        "in_channels": request.in_channels,
        "out_channels": request.out_channels,
    }


def _unet(request: Request) -> Arguments:
    return {
        **_channels(request),
        "channels": [32, 64, 128, 256],
        "strides": [2, 2, 2],
        "num_res_units": 2,
    }


def _dynunet(request: Request) -> Arguments:
    return {
        **_channels(request),
        "kernel_size": [3, 3, 3, 3],
        "strides": [1, 2, 2, 2],
        "upsample_kernel_size": [2, 2, 2],
        "filters": [16, 32, 64, 128],
        "norm_name": "instance",
        "deep_supervision": True,
        "deep_supr_num": 2,
    }


def _segresnet(request: Request) -> Arguments:
    return {**_channels(request), "init_filters": 16}


def _attention_unet(request: Request) -> Arguments:
    return {**_channels(request), "channels": [16, 32, 64, 128], "strides": [2, 2, 2]}


def _unetr(request: Request) -> Arguments:
    return {
        **_channels(request),
        "img_size": [-(-size // 16) * 16 for size in request.patch_size],
        "feature_size": 16,
        "hidden_size": 192,
        "mlp_dim": 768,
        "num_heads": 6,
    }


def _swin_unetr(request: Request) -> Arguments:
    # The published windows of 7 are for patches of 96; in smaller patches they would be mostly
    # padding, at ten times the cost. Windows of 4 (nnFormer, Zhou et al., 2021) divide every grid.
    window = 7 if min(request.patch_size) >= 96 else 4
    return {
        **_channels(request),
        "feature_size": 12,
        "depths": [2, 2, 2, 2],
        "window_size": window,
    }


def _swin_unet(request: Request) -> Arguments:
    return {**_channels(request), "window_size": 7 if min(request.patch_size) >= 224 else 4}


def _deeplab(request: Request) -> Arguments:
    # two convolutions at half the size would take most of the time of a volume
    return {**_channels(request), "decoder_channels": 64 if request.spatial_dims == 2 else 0}


def _pretrainable(request: Request) -> Arguments:
    if request.spatial_dims != 2:
        raise GenSegError("a pretrained encoder is for 2-D images; train with --encoder scratch")
    return {"in_channels": request.in_channels, "out_channels": request.out_channels}


_NETS = "monai.networks.nets"
_REGISTRY = {
    "unet": Entry(f"{_NETS}.UNet", _unet),
    "dynunet": Entry(f"{_NETS}.DynUNet", _dynunet),
    "dual-dynunet": Entry("GenSegLib.networks.dual_normalization.DualDynUNet", _dynunet),
    "segresnet": Entry(f"{_NETS}.SegResNet", _segresnet),
    "attention-unet": Entry(f"{_NETS}.AttentionUnet", _attention_unet),
    "unetr": Entry("GenSegLib.networks.padded.PaddedUNETR", _unetr),
    "swin-unetr": Entry("GenSegLib.networks.padded.PaddedSwinUNETR", _swin_unetr),
    "swin-unet": Entry("GenSegLib.networks.swin_unet.SwinUNet", _swin_unet),
    "deeplab": Entry("GenSegLib.networks.deeplab.DeepLab", _deeplab),
    "efficientnet-unet": Entry("GenSegLib.networks.encoder_unet.EncoderUNet", _pretrainable),
    "efficientnet-deeplab": Entry("GenSegLib.networks.deeplab.EncoderDeepLab", _pretrainable),
}


def _entry(name: str) -> Entry:
    if name not in _REGISTRY:
        known = ", ".join(_REGISTRY)
        raise GenSegError(f"unknown segmenter {name!r}; choose one of {known}")
    return _REGISTRY[name]


def segmenter_target(name: str) -> str:
    """Return the import path of the segmenter's class, as in a MONAI bundle's ``_target_``."""
    return _entry(name).target


def segmenter_args(
    name: str, in_channels: int, out_channels: int, spatial_dims: int, patch_size: Sequence[int]
) -> Arguments:
    """Return the JSON arguments for :func:`build_segmenter`.

    Args:
        name: registry name.
        in_channels: image channels.
        out_channels: number of classes, background included.
        spatial_dims: 2 or 3.
        patch_size: training patch in voxels.
    """
    request = Request(in_channels, out_channels, spatial_dims, tuple(patch_size))
    return _entry(name).arguments(request)


def build_segmenter(name: str, args: Arguments) -> nn.Module:
    """Build a segmenter with new weights.

    Raises:
        GenSegError: the name is unknown or the arguments do not fit the network.
    """
    module, _, class_name = _entry(name).target.rpartition(".")
    try:
        network: nn.Module = getattr(import_module(module), class_name)(**args)
    except (TypeError, ValueError, LookupError, AssertionError) as error:
        reason = _first_line(error)
        raise GenSegError(f"segmenter {name!r} cannot be built from {args}: {reason}") from error
    return keep_resolution_of_levels(fix_small_grid_gradients(network))


def check_patch_size(
    segmenter: nn.Module, channels: int, classes: int, size: Sequence[int]
) -> None:
    """Check that a segmenter maps patches of a size to logits of that size.

    A copy of it segments a small patch. For a large one it runs on PyTorch's "meta" device, which
    computes shapes without values, but takes a second to be loaded.

    Args:
        segmenter: a network of the registry.
        channels: image channels.
        classes: number of classes, background included.
        size: patch size in voxels.

    Raises:
        GenSegError: the network fails on such patches, or its output has another shape.
    """
    shown = f"{' x '.join(map(str, size))} voxels (channels: {channels})"
    device = "cpu" if math.prod(size) <= _COMPUTED_VOXELS else "meta"
    trial = deepcopy(segmenter).to(device).eval()
    try:
        with torch.no_grad():
            logits = trial(torch.zeros(1, channels, *size, device=device))
    except Exception as error:  # each network fails in its own way
        if isinstance(error, NotImplementedError) or " meta " in str(error):
            return  # this PyTorch lacks the operation on "meta": that says nothing of the network
        reason = _first_line(error)
        raise GenSegError(f"the network cannot process patches of {shown}: {reason}") from error
    if logits.shape != (1, classes, *size):
        raise GenSegError(
            f"the network maps patches of {shown} to an output of shape "
            f"{' x '.join(map(str, logits.shape[1:]))}, not to logits of {classes} classes"
        )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
