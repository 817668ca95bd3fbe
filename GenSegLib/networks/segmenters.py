"""One registry of segmenters over MONAI's networks.

A segmenter is named by its registry entry and plain arguments, so that a model folder can be read
without running any code that came with it. In evaluation every segmenter maps images
(batch, channel, *shape) to logits (batch, class, *shape); in training those with deep supervision
give (batch, level, class, *shape), finest level first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from torch import nn

from ..errors import GenSegError
from .convolution import right_on_small_grids

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What a segmenter is built for: channels, classes, dimensions and the patch in voxels."""

    in_channels: int
    out_channels: int
    spatial_dims: int
    patch_size: tuple[int, ...]


@dataclass(frozen=True)
class Entry:
    """A segmenter's class, as an import path, and the arguments that it takes for a request."""

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


def _transformer_size(request: Request) -> list[int]:
    return [-(-size // 16) * 16 for size in request.patch_size]


def _unetr(request: Request) -> Arguments:
    return {
        **_channels(request),
        "img_size": _transformer_size(request),
        "feature_size": 16,
        "hidden_size": 192,
        "mlp_dim": 768,
        "num_heads": 6,
    }


def _swin_unetr(request: Request) -> Arguments:
    # The published windows of 7 are for patches of 96; smaller patches they cover mostly with
    # padding, at ten times the time. Windows of 4 (nnFormer, Zhou et al., 2021) divide every grid.
    window = 7 if min(request.patch_size) >= 96 else 4
    return {
        **_channels(request),
        "feature_size": 12,
        "depths": [2, 2, 2, 2],
        "window_size": window,
    }


def _deeplab(request: Request) -> Arguments:
    return _channels(request)


_NETS = "monai.networks.nets"
_REGISTRY = {
    "unet": Entry(f"{_NETS}.UNet", _unet),
    "dynunet": Entry(f"{_NETS}.DynUNet", _dynunet),
    "segresnet": Entry(f"{_NETS}.SegResNet", _segresnet),
    "attention-unet": Entry(f"{_NETS}.AttentionUnet", _attention_unet),
    "unetr": Entry("GenSegLib.networks.padded.PaddedUNETR", _unetr),
    "swin-unetr": Entry("GenSegLib.networks.padded.PaddedSwinUNETR", _swin_unetr),
    "deeplab": Entry("GenSegLib.networks.deeplab.DeepLab", _deeplab),
}


def _entry(name: str) -> Entry:
    if name not in _REGISTRY:
        known = ", ".join(_REGISTRY)
        raise GenSegError(f"no segmenter is called {name!r}; choose one of {known}")
    return _REGISTRY[name]


def segmenter_target(name: str) -> str:
    """Return the import path of the segmenter's class, as a MONAI bundle names it."""
    return _entry(name).target


def segmenter_args(
    name: str, in_channels: int, out_channels: int, spatial_dims: int, patch_size: Sequence[int]
) -> Arguments:
    """Return the plain (JSON) arguments that :func:`build_segmenter` takes.

    Args:
        name: the registry name.
        in_channels: image channels.
        out_channels: classes, background included.
        spatial_dims: 2 or 3.
        patch_size: the training patch in voxels.
    """
    request = Request(in_channels, out_channels, spatial_dims, tuple(patch_size))
    return _entry(name).arguments(request)


def build_segmenter(name: str, args: Arguments) -> nn.Module:
    """Build a segmenter with fresh weights.

    Raises:
        GenSegError: the name is unknown or the arguments do not fit the network.
    """
    module, _, class_name = _entry(name).target.rpartition(".")
    try:
        network: nn.Module = getattr(import_module(module), class_name)(**args)
    except (TypeError, ValueError, LookupError, AssertionError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise GenSegError(f"segmenter {name!r} cannot be built from {args}: {reason}") from error
    return right_on_small_grids(network)
