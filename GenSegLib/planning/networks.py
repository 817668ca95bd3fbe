"""Depth, strides and kernels of a DynUNet for a patch, after nnU-Net's rules.

Isensee et al., Nat Methods 2021, doi:10.1038/s41592-020-01008-z. Light: the standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MIN_EDGE = 8  # of the deepest feature maps, along the longest axis
_MIN_AXIS = 4  # of the deepest feature maps, along any axis
_MIN_LEVELS = 3  # of MONAI's DynUNet
_ISOTROPIC = 2.0  # axes whose spacing differs by less are treated alike
_MAX_WIDTH = {2: 512, 3: 320}


def plan_network(patch: Sequence[int], spacing: Sequence[float], width: int) -> dict[str, Any]:
    """Return the arguments of a DynUNet that differ from the registry's.

    Feature maps are halved along an axis while the patch allows it, and along thick axes only when
    the others have become as coarse; until then, kernels do not reach across a thick axis.

    Args:
        patch: size in voxels.
        spacing: in mm.
        width: channels of the first level; they double at each further level.
    """
    size, step = list(patch), list(map(float, spacing))
    kernels = [_kernel(step)]
    strides: list[list[int]] = [[1] * len(size)]
    while max(size) >= 2 * _MIN_EDGE or len(strides) < _MIN_LEVELS:
        stride = _stride(size, step)
        if max(stride) == 1:
            break
        size = [edge // by for edge, by in zip(size, stride)]
        step = [length * by for length, by in zip(step, stride)]
        strides.append(stride)
        kernels.append(_kernel(step))
    largest = _MAX_WIDTH[len(size)]
    levels = len(strides)
    return {
        "filters": [min(width * 2**level, largest) for level in range(levels)],
        "strides": strides,
        "upsample_kernel_size": strides[1:],
        "kernel_size": kernels,
        "deep_supervision": levels > 2,
        "deep_supr_num": max(1, min(2, levels - 2)),
    }


def _stride(size: Sequence[int], spacing: Sequence[float]) -> list[int]:
    """Return 2 for each axis to halve: those that are finer than twice the finest one."""
    can_halve = [edge % 2 == 0 and edge // 2 >= _MIN_AXIS for edge in size]
    finest = min((step for step, able in zip(spacing, can_halve) if able), default=0.0)
    return [
        2 if able and step < _ISOTROPIC * finest else 1 for step, able in zip(spacing, can_halve)
    ]


def _kernel(spacing: Sequence[float]) -> list[int]:
    return [3 if step < _ISOTROPIC * min(spacing) else 1 for step in spacing]
