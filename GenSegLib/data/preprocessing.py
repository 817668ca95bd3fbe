"""Brings an image to what the segmenter sees, and its output exactly back to the image's own grid.

Orientation, foreground crop, spacing, intensity and padding, in this order. Arrays are
(channel, x, y, z), spacing is in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GenSegError
from ..images.geometry import (
    Resample,
    Route,
    Step,
    Window,
    plan_crop,
    plan_padding,
    plan_reorient,
    plan_resample,
)
from ..images.image_io import Volume, on_same_grid
from ..images.resampling import resampled_slabs
from ..presets import Preset
from .foreground import CROP_MARGIN, foreground
from .normalization import Spread, measure, normalize, slabs_of

Array = NDArray[Any]

_MOST_VOXELS = 2**31


@dataclass(frozen=True)
class Prepared:
    """An image as the segmenter sees it, and the way back.

    `image` is (channel, x, y, z) float32, `label` (x, y, z) int16 where there is one, `affine` is
    of this grid, `route` leads here from the input's own grid.
    """

    image: Array
    label: Array | None
    affine: Array
    route: Route

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size in mm."""
        return tuple(float(size) for size in np.linalg.norm(self.affine[:3, :3], axis=0))


class Preprocessor:
    """Prepares images the way a preset says; keeps no state."""

    def __init__(self, preset: Preset) -> None:
        """Take the preset's orientation, spacing, intensity, crop and multiple.

        Raises:
            GenSegError: the preset is not for volumes.
        """
        if preset.spatial_dims != 3:
            raise GenSegError(f"preset {preset.name!r} is 2-D, but cases are volumes; use another")
        self._preset = preset

    def apply(
        self, image: Volume, label: Volume | None = None, spread: Spread | None = None
    ) -> Prepared:
        """Prepare an image, and its label along with it.

        Voxels that the padding adds are 0 (the mean of an MR, the low end of a CT's window) and
        background. Oblique directions are kept: the axes are only swapped and flipped. The voxels
        keep their type up to the resampling.

        Args:
            image: (channel, x, y, z) of any voxel type.
            label: of the same grid.
            spread: of an image that this one is a part of; without it the image's own is taken.

        Raises:
            GenSegError: voxels are NaN or infinite, label and image lie on different grids, or
                the spacing would make the image too large to hold.
        """
        _require_finite(image.array)
        if label is not None and not on_same_grid(image, label):
            raise GenSegError("image and label are on different grids; resample the label")
        values = None if label is None else label.array[0]
        route = self._to_spacing(image, values)
        array = route.forward(image.array)
        padding = plan_padding(_size(array), self._preset.multiple)
        route = route.then(padding)
        return Prepared(
            self._normalize(array, padding, spread),
            None if values is None else np.array(route.forward_label(values), order="C"),
            route.affine(image.affine),
            route,
        )

    def measure(self, image: Volume) -> Spread | None:
        """Give the spread of an image as `apply` would find it; None where it needs none.

        The image is seen slab by slab, however fine the preset's spacing is.

        Raises:
            GenSegError: as `apply`.
        """
        if self._preset.intensity.kind == "window":
            return None
        _require_finite(image.array)
        route = self._to_spacing(image, None)
        last = route.steps[-1]
        if isinstance(last, Resample):
            array = Route(route.steps[:-1]).forward(image.array)
            slabs = resampled_slabs(array, last.size, last.scale)
        else:
            slabs = slabs_of(route.forward(image.array))
        return measure(slab for _, slab in slabs)

    def _normalize(self, array: Array, padding: Window, spread: Spread | None) -> Array:
        """Normalize an array and pad it, (channel, x, y, z) float32."""
        intensity = self._preset.intensity
        if spread is None and intensity.kind == "zscore":
            spread = measure(slab for _, slab in slabs_of(array))
        padded = np.zeros((len(array), *padding.size), np.float32)
        inside = padding.backward(padded, 0)
        for index, slab in slabs_of(array):
            inside[index] = normalize(slab, intensity, spread)
        return padded

    def _to_spacing(self, image: Volume, label: Array | None) -> Route:
        """Plan the way to the preset's orientation, the foreground and the preset's spacing."""
        reorient: Step = plan_reorient(image.affine, _size(image.array), self._preset.orientation)
        route = Route((reorient,))
        size = _size(reorient.forward(image.array, 0))
        if self._preset.crop_foreground:
            mask = foreground(image.array, self._preset.intensity)
            if label is not None:
                mask |= label > 0
            crop = plan_crop(reorient.forward(mask[np.newaxis], 0)[0], CROP_MARGIN)
            route, size = route.then(crop), crop.size
        if self._preset.spacing is not None:
            resampling = plan_resample(route.affine(image.affine), size, self._preset.spacing)
            if resampling is not None:
                _require_bearable(resampling.size, image)
                route = route.then(resampling)
        return route


def _require_finite(array: Array) -> None:
    """Look at the voxels slab by slab; whole numbers are finite by their type."""
    if array.dtype.kind == "f" and not all(np.isfinite(slab).all() for _, slab in slabs_of(array)):
        raise GenSegError("voxels are NaN or infinite; replace them and save the image again")


def _size(array: Array) -> tuple[int, int, int]:
    return array.shape[1], array.shape[2], array.shape[3]


def _require_bearable(size: tuple[int, int, int], image: Volume) -> None:
    voxels = size[0] * size[1] * size[2]
    if voxels > _MOST_VOXELS:
        own = " x ".join(f"{length:g}" for length in image.spacing)
        raise GenSegError(
            f"a spacing of {own} mm makes {voxels:.1e} voxels at the preset's; "
            "correct the spacing in the file"
        )
