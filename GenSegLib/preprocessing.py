"""Brings an image to what the segmenter sees, and its output exactly back to the image's own grid.

Orientation, foreground crop, spacing, intensity and padding, in this order. Arrays are
(channel, x, y, z), spacing is in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import GenSegError
from .foreground import CROP_MARGIN, foreground
from .geometry import Route, Step, plan_crop, plan_padding, plan_reorient, plan_resample
from .image_io import Volume, on_same_grid
from .presets import Intensity, Preset

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

    def apply(self, image: Volume, label: Volume | None = None) -> Prepared:
        """Prepare an image, and its label along with it.

        Voxels that the padding adds are 0 (the mean of an MR, the low end of a CT's window) and
        background. Oblique directions are kept: the axes are only swapped and flipped.

        Raises:
            GenSegError: voxels are NaN or infinite, label and image lie on different grids, or
                the spacing would make the image too large to hold.
        """
        if not np.isfinite(image.array).all():
            raise GenSegError("voxels are NaN or infinite; replace them and save the image again")
        if label is not None and not on_same_grid(image, label):
            raise GenSegError("image and label are on different grids; resample the label")
        values = None if label is None else label.array[0]
        route = self._to_spacing(image, values)
        array = normalize(route.forward(image.array).astype(np.float32), self._preset.intensity)
        padding = plan_padding(_size(array), self._preset.multiple)
        route = route.then(padding)
        return Prepared(
            np.ascontiguousarray(padding.forward(array, 0)),
            None if values is None else np.ascontiguousarray(route.forward_label(values)),
            route.affine(image.affine),
            route,
        )

    def restore_label(self, prepared: Prepared, label: Array) -> Array:
        """Bring a (x, y, z) label back to the input's own grid, class by class."""
        return np.ascontiguousarray(prepared.route.backward_label(label))

    def restore_classes(self, prepared: Prepared, probabilities: Array) -> Array:
        """Bring (class, x, y, z) probabilities back and give the likeliest class, (x, y, z) int16.

        It equals the arg max of `restore_probabilities`, but holds only one class at a time.
        """
        return np.ascontiguousarray(prepared.route.backward_classes(probabilities))

    def restore_probabilities(self, prepared: Prepared, probabilities: Array) -> Array:
        """Bring (class, x, y, z) probabilities back to the input's own grid.

        What the crop had cut off is background (class 0) for sure.
        """
        moved = [
            prepared.route.backward(probabilities[index : index + 1], float(index == 0))
            for index in range(len(probabilities))
        ]
        return np.concatenate(moved)

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


def normalize(array: Array, intensity: Intensity) -> Array:
    """Normalize the values of a (channel, x, y, z) array, each channel by itself.

    `zscore` gives mean 0 and standard deviation 1 (0 all over where the channel is constant);
    `window` maps its low end to 0, its high end to 1 and clips the rest.
    """
    if intensity.kind == "window":
        scaled = (array - intensity.low) / (intensity.high - intensity.low)
        return np.clip(scaled, 0, 1).astype(np.float32)
    axes = tuple(range(1, array.ndim))
    centered = array - array.mean(axis=axes, keepdims=True, dtype=np.float64)
    deviation = centered.std(axis=axes, keepdims=True, dtype=np.float64)
    deviation[deviation == 0] = 1
    return (centered / deviation).astype(np.float32)


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
