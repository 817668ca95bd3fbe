"""Preprocessing of images for the segmenter, and its inverse.

The steps are orientation, foreground crop, spacing, intensity and padding. Arrays are
(channel, x, y, z), spacing is in mm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GenSegError
from ..images.geometry import (
    CropPad,
    GridTransform,
    Resample,
    Step,
    plan_crop,
    plan_padding,
    plan_reorient,
    plan_resample,
    world_axis,
)
from ..images.resampling import resampled_slabs
from ..images.volume import THICK, Volume, on_same_grid
from ..presets import Preset
from .normalization import (
    CROP_MARGIN,
    IntensityStatistics,
    field_of_view_mask,
    foreground_mask,
    intensity_range,
    intensity_statistics,
    iterate_slabs,
    normalize,
)

Array = NDArray[Any]

_MAX_VOXELS = 2**31
_MANY_VOXELS, _MAX_GROWTH = 2**26, 64


@dataclass(frozen=True)
class PreprocessedImage:
    """A preprocessed image and the transform of its grid.

    Attributes:
        image: (channel, x, y, z) float32.
        label: (x, y, z) int16, if there is one.
        affine: of this grid.
        transform: from the original grid to this one.
    """

    image: Array
    label: Array | None
    affine: Array
    transform: GridTransform

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel spacing in mm."""
        return tuple(float(size) for size in np.linalg.norm(self.affine[:3, :3], axis=0))


class Preprocessor:
    """Preprocess images as a preset specifies."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset

    def apply(
        self,
        image: Volume,
        label: Volume | None = None,
        statistics: IntensityStatistics | None = None,
        foreground: Array | None = None,
    ) -> PreprocessedImage:
        """Preprocess an image, and its label along with it.

        Padding is 0 (the mean of a z-scored image, the low end of a window) and background. Axes
        are only permuted and flipped, so oblique images stay oblique. Voxels keep their type
        until they are resampled.

        Args:
            image: (channel, x, y, z) of any voxel type.
            label: on the same grid.
            statistics: of the image that this one was cropped from; the image's own by default.
            foreground: of the image (see `foreground`), if it is known.

        Raises:
            GenSegError: voxels are NaN or infinite, label and image have different grids, or the
                resampled image would be too large.
        """
        _require_finite(image.array)
        if label is not None and not on_same_grid(image, label):
            raise GenSegError("image and label have different grids; resample the label")
        values = None if label is None else label.array[0]
        foreground = self.foreground(image) if foreground is None else foreground
        image = self._in_unit(image, foreground)
        transform = self._to_spacing(image, foreground, values)
        array = transform.forward(image.array)
        padding = plan_padding(_size(array), self._multiples())
        transform = transform.then(padding)
        if statistics is None and self._preset.intensity.kind != "window":
            scaling = intensity_range(image.array, self._preset.intensity)
            statistics = intensity_statistics((slab for _, slab in iterate_slabs(array)), scaling)
        return PreprocessedImage(
            self._normalize(array, padding, statistics),
            None if values is None else np.array(transform.forward_label(values), order="C"),
            transform.affine(image.affine),
            transform,
        )

    def target_spacing(self, image: Volume, foreground: Array | None = None) -> tuple[float, ...]:
        """Return the spacing that an image is resampled to, along its own axes in its own unit.

        Args:
            image: see `apply`.
            foreground: see `apply`.
        """
        if foreground is None and self._preset.long_side:
            foreground = self.foreground(image)
        given, image = image, self._in_unit(image, foreground)
        reorient = plan_reorient(image.affine, _size(image.array), self._orientation(image))
        affine = image.affine @ reorient.matrix
        own = np.linalg.norm(affine[:3, :3], axis=0)
        target = self._target_spacing(affine, self._preset.spacing or own)
        unit = given.spacing[0] / image.spacing[0]
        return tuple(float(target[reorient.order.index(axis)]) * unit for axis in range(3))

    def statistics(self, image: Volume) -> IntensityStatistics | None:
        """Return the statistics that `apply` would normalize with; None if it needs none.

        The image is processed slab by slab, whatever the preset's spacing.

        Raises:
            GenSegError: as `apply`.
        """
        if self._preset.intensity.kind == "window":
            return None
        _require_finite(image.array)
        foreground = self.foreground(image)
        image = self._in_unit(image, foreground)
        transform = self._to_spacing(image, foreground, None)
        last = transform.steps[-1]
        if isinstance(last, Resample):
            array = GridTransform(transform.steps[:-1]).forward(image.array)
            slabs = resampled_slabs(array, last.size, last.scale)
        else:
            slabs = iterate_slabs(transform.forward(image.array))
        scaling = intensity_range(image.array, self._preset.intensity)
        return intensity_statistics((slab for _, slab in slabs), scaling)

    def _normalize(
        self, array: Array, padding: CropPad, statistics: IntensityStatistics | None
    ) -> Array:
        """Normalize and pad an array; the result is (channel, x, y, z) float32."""
        padded = np.zeros((len(array), *padding.size), np.float32)
        inside = padding.backward(padded, 0)
        for index, slab in iterate_slabs(array):
            inside[index] = normalize(slab, self._preset.intensity, statistics)
        return padded

    def foreground(self, image: Volume) -> Array | None:
        """Return the mask (x, y, z) that is cropped to; None for no crop."""
        if not self._preset.crop_foreground:
            return None
        masked = field_of_view_mask if self._preset.is_for_images else foreground_mask
        return masked(image.array, self._preset.intensity)

    def _to_spacing(
        self, image: Volume, foreground: Array | None, label: Array | None
    ) -> GridTransform:
        """Return the transform to the preset's orientation, foreground with label, and spacing."""
        reorient: Step = plan_reorient(image.affine, _size(image.array), self._orientation(image))
        transform = GridTransform((reorient,))
        size = _size(reorient.forward(image.array, 0))
        if foreground is not None:
            mask = foreground if label is None else foreground | (label > 0)
            margin = crop_margin(self._preset)
            crop = plan_crop(reorient.forward(mask[np.newaxis], 0)[0], margin)
            transform, size = transform.then(crop), crop.size
        if self._preset.spacing is not None:
            affine = transform.affine(image.affine)
            step = plan_resample(affine, size, self._target_spacing(affine, self._preset.spacing))
            if step is not None:
                _require_reasonable_size(step.size, image)
                transform = transform.then(step)
        return transform

    def _in_unit(self, image: Volume, foreground: Array | None) -> Volume:
        """Return an image with lengths in the preset's unit; the foreground has `long_side`.

        Raises:
            GenSegError: the image has no scale, or is a volume, unlike the preset's images.
        """
        if self._preset.unit == "px" and image.is_2d:
            size = (
                None
                if foreground is None
                else plan_crop(foreground, crop_margin(self._preset)).size
            )
            part = image.longest_side(size) / image.longest_side()
            return image.in_pixels(self._preset.long_side / part)
        if self._preset.unit == image.unit or self._preset.spacing is None:
            return image
        if image.unit == "mm":
            raise GenSegError(
                "the image is a volume, but the plan is for 2-D images in pixels; use another model"
            )
        raise GenSegError(
            "the image has lengths in px, but the plan's spacing is in mm; set the pixel spacing "
            'in the image\'s header, or "unit": "px" in the preset of the training'
        )

    def _orientation(self, image: Volume) -> str:
        """Return the orientation, with the image's own slices last if the preset is for slices.

        The plane of a long-axis view or of a coronal radiograph lies across another axis than the
        preset's slices. So may oblique slices: those across the heart lie about halfway between
        sagittal and coronal, and files that have lost their directions call them axial.
        """
        codes = self._preset.orientation
        own = image.slice_axis if image.is_2d else image.oblique_slice_axis
        if own is None or not self._has_slices(image):
            return codes
        across = world_axis(image.orientation[own])
        return "".join(sorted(codes, key=lambda code: world_axis(code) == across))

    def _has_slices(self, image: Volume) -> bool:
        """Return whether the preset is 2-D, or resamples volumes to thick slices."""
        if self._preset.spatial_dims == 2:
            return True
        spacing = self._preset.spacing
        return not image.is_2d and spacing is not None and spacing[2] >= THICK * max(spacing[:2])

    def _target_spacing(self, affine: Array, spacing: Sequence[float]) -> Sequence[float]:
        """Return the spacing of all axes; a 2-D preset leaves that between slices as it is."""
        own = np.linalg.norm(affine[:3, :3], axis=0)
        return (*spacing, *map(float, own[len(spacing) :]))

    def _multiples(self) -> tuple[int, ...]:
        """Return the multiple of the size of each axis; slices are not added."""
        dims, multiple = self._preset.spatial_dims, self._preset.multiple
        return tuple(multiple if axis < dims else 1 for axis in range(3))


def crop_margin(preset: Preset) -> int:
    """Return the voxels around the foreground that are kept; 2-D images have a border instead."""
    return 0 if preset.is_for_images else CROP_MARGIN


def _require_finite(array: Array) -> None:
    is_float = array.dtype.kind == "f"
    if is_float and not all(np.isfinite(slab).all() for _, slab in iterate_slabs(array)):
        raise GenSegError("voxels are NaN or infinite; replace them and save the image again")


def _size(array: Array) -> tuple[int, int, int]:
    return array.shape[1], array.shape[2], array.shape[3]


def _require_reasonable_size(size: tuple[int, int, int], image: Volume) -> None:
    """Question a spacing that makes a small image a huge one, before it is resampled."""
    voxels, own = math.prod(size), image.array[0].size
    if voxels > _MAX_VOXELS or (voxels > _MANY_VOXELS and voxels > _MAX_GROWTH * own):
        spacing = " x ".join(f"{length:.4g}" for length in image.spacing)
        raise GenSegError(
            f"with its spacing of {spacing} mm, the image of {own} voxels would be resampled to "
            f"{voxels:.1e} voxels; correct the unit or the spacing in the header"
        )
