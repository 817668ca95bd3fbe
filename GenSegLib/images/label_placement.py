"""Place a label on the grid of its image, by the positions in both headers.

Both front ends place labels by `place_label`, so that a folder means the same to them.

Light: numpy alone.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GenSegError
from .label_counts import label_counts
from .label_resampling import labeled_box, resample_label
from .volume import LPS_TO_RAS, Volume, index_transform, on_same_grid, place_on_grid, union_grid

Array = NDArray[Any]

_MAX_OUTSIDE = 0.1  # of the labeled voxels
_IDENTITIES = (np.eye(4), LPS_TO_RAS)  # in RAS, and in ITK's LPS


@dataclass(frozen=True)
class PlacedLabel:
    """A label on its image's grid, and what about that is uncertain or was lost."""

    volume: Volume
    warnings: tuple[str, ...] = ()


def place_label(label: Volume, image: Volume) -> PlacedLabel:
    """Place a label on the grid of its image.

    In this order: voxels on the image's grid are taken as they are, also where the label's header
    agrees with the image's other form (sform or qform); voxels that coincide with the image's
    (cropped, in other axes) are copied; others (shifted, finer, oblique) are resampled, each voxel
    to the label that covers most of it.

    Args:
        label: (1, x, y, z) of label values.
        image: the labeled image; only its grid is used.

    Raises:
        GenSegError: the label has the image's size but no position, or more than 10 % of its
            voxels lie outside the image.
    """
    found = _on_grid(label, image)
    if found is not None:
        return found
    for k, (own, grid) in enumerate(_forms(label, image)):
        placed = _place_exactly(Volume(label.array, own), Volume(image.array, grid))
        if placed is not None:
            volume, warnings = Volume(placed.volume.array, image.affine), placed.warnings
            return PlacedLabel(volume, (*warnings, _OTHER_FORM) if k else warnings)
    index = np.linalg.inv(image.affine) @ label.affine
    warnings = _outside_warning(label, image, index)
    array = resample_label(label.array[0], image.shape, np.linalg.inv(index))
    resampled = (
        f"the label's voxels ({_millimeters(label)}) do not coincide with the image's "
        f"({_millimeters(image)}); the label was resampled to the image"
    )
    warnings = (resampled, *warnings, *_lost_values(label, array))
    return PlacedLabel(Volume(array[np.newaxis], image.affine), warnings)


def place_together(label: Volume, reference: Volume) -> tuple[PlacedLabel, Volume]:
    """Place two labels of one image on a grid that holds the voxels of both, without loss.

    A reference, or a DICOM SEG, may be cropped to what is labeled. Where the voxels do not
    coincide, the first label is resampled to the grid of the reference.

    Raises:
        GenSegError: as `place_label`; or less than half of the smaller grid is in the other.
    """
    reference = _with_all_frames(reference, label)
    found = _on_grid(label, reference)
    if found is not None:
        return found, reference
    try:
        index_transform(label, reference)
    except GenSegError:
        return place_label(label, reference), reference
    grid = union_grid(reference, label)
    sizes = [math.prod(volume.shape) for volume in (label, reference, grid)]
    if sum(sizes[:2]) - sizes[2] < min(sizes[:2]) / 2:
        raise GenSegError("their grids hardly overlap; check that they belong to the same image")
    return PlacedLabel(place_on_grid(label, grid)), place_on_grid(reference, grid)


def _on_grid(label: Volume, image: Volume) -> PlacedLabel | None:
    """Return a label that is on the image's grid by one of its forms.

    Raises:
        GenSegError: the label has no position.
    """
    label = _with_all_frames(label, image)
    for k, (own, grid) in enumerate(_forms(label, image)):
        if on_same_grid(Volume(label.array, own), Volume(image.array, grid)):
            return PlacedLabel(Volume(label.array, image.affine), (_OTHER_FORM,) if k else ())
    if label.unit == "px" or (image.is_2d and not (label.has_position and image.has_position)):
        _require_size(label, image)
        return PlacedLabel(Volume(label.array, image.affine))
    _require_position(label, image)
    return None


def _with_all_frames(label: Volume, image: Volume) -> Volume:
    """Return the label of a clip with all frames; a DICOM SEG ends with the last labeled one."""
    missing = image.shape[2] - label.shape[2]
    if missing <= 0 or label.unit != "px" or not (label.is_stack or image.is_stack):
        return label
    array = np.pad(label.array, ((0, 0), (0, 0), (0, 0), (0, missing)))
    return replace(label, array=array, is_stack=True)


def _forms(label: Volume, image: Volume) -> list[tuple[Array, Array]]:
    """Return all pairs of affines of the two headers, those by the rule first."""
    return [(own, grid) for own in _affines(label) for grid in _affines(image)]


_SHIFTED = (
    "the label has the image's size, but its header places it {} mm away from the image; "
    "if it was drawn on this image, copy the image's header to the label"
)
_OTHER_FORM = (
    "the label's header matches the image's other form (sform or qform), so its voxels were used "
    "as they are; copy the image's header to the label"
)


def _affines(volume: Volume) -> list[Array]:
    return [volume.affine, *([] if volume.other_affine is None else [volume.other_affine])]


def _require_size(label: Volume, image: Volume) -> None:
    """Check a mask whose pixels are those of a 2-D image, since there are no positions."""
    if label.shape != image.shape:
        axes = 3 if label.shape[2] != image.shape[2] else 2
        own, expected = (" x ".join(map(str, volume.shape[:axes])) for volume in (label, image))
        raise GenSegError(
            f"the mask has {own} pixels, but the image has {expected}; save it at the image's size"
        )


def _require_position(label: Volume, image: Volume) -> None:
    """Recognize a label or an image that was saved without the header of the other."""
    size = " x ".join(map(str, label.shape))
    if label.shape == image.shape and (_is_bare(label, image) or not label.has_position):
        raise GenSegError(
            f"the label has the image's {size} voxels, but its header does not say where they are; "
            "copy the image's header to the label (do not resample it)"
        )
    if label.shape == image.shape and not image.has_position:
        raise GenSegError(
            f"the image has the label's {size} voxels, but its header does not say where they are; "
            "copy the label's header to the image (do not resample it)"
        )
    if not label.has_position and image.has_position:
        raise GenSegError(
            f"the label's header does not say where its {size} voxels are; save the label again "
            "on the image's grid"
        )


def _is_bare(label: Volume, image: Volume) -> bool:
    """Whether a header is the identity, or has the image's voxel size at most."""
    steps = (label.affine[:3, :3] / spacing for spacing in ((1.0, 1.0, 1.0), image.spacing))
    return not label.affine[:3, 3].any() and any(
        np.allclose(step, identity[:3, :3], atol=1e-4) for step in steps for identity in _IDENTITIES
    )


def _place_exactly(label: Volume, image: Volume) -> PlacedLabel | None:
    """Copy voxels that coincide with the image's; return None if they do not."""
    try:
        rotation, offset = index_transform(label, image)
    except GenSegError:
        return None
    warnings = _outside_warning(label, image, np.linalg.inv(image.affine) @ label.affine)
    source = np.argwhere(label.array[0])
    target = source @ rotation.T + offset
    inside = ((target >= 0) & (target < image.shape)).all(axis=1)
    source, target = source[inside], target[inside]
    array = np.zeros((1, *image.shape), label.array.dtype)
    array[0][tuple(target.T)] = label.array[0][tuple(source.T)]
    ends = np.array([np.zeros(3), np.array(label.shape) - 1]) @ rotation.T + offset
    if sorted(label.shape) == sorted(image.shape) and ends.min(axis=0).any():
        shift = np.abs(ends.min(axis=0)) @ np.diag(image.spacing)
        warnings = (_SHIFTED.format(f"{np.linalg.norm(shift):.3g}"), *warnings)
    return PlacedLabel(Volume(array, image.affine), warnings)


def _outside_warning(label: Volume, image: Volume, index: Array) -> tuple[str, ...]:
    """Count labeled voxels outside the image.

    Args:
        label: (1, x, y, z).
        image: whose grid counts.
        index: (4, 4) from the label's indices to the image's.

    Raises:
        GenSegError: they are too many.
    """
    box = labeled_box(label.array[0])
    if box is None or _is_inside(_corners(box) @ index[:3, :3].T + index[:3, 3], image).all():
        return ()
    total = outside = 0
    for k in range(label.shape[2]):  # slice by slice, since positions need much memory
        found = np.argwhere(label.array[0, :, :, k])
        target = found @ index[:3, :2].T + index[:3, 2] * k + index[:3, 3]
        total += len(found)
        outside += int(np.count_nonzero(~_is_inside(target, image)))
    if outside > _MAX_OUTSIDE * total:
        raise GenSegError(
            f"{outside} of {total} labeled voxels lie outside the image; check that label "
            "and image belong together"
        )
    lost = f"{outside} of {total} labeled voxels lie outside the image and are lost"
    return (lost,) if outside else ()


def _is_inside(points: Array, image: Volume) -> Array:
    """Return whether points (n, 3), in indices of an image, lie within it, up to rounding."""
    inside = (points > -0.55) & (points < np.array(image.shape) - 0.45)
    return np.asarray(inside.all(axis=1))


def _corners(box: Array) -> Array:
    """Return the indices (8, 3) of the corner voxels of a box (3, 2)."""
    return np.array(list(itertools.product(*(box - (0, 1)))))


def _lost_values(label: Volume, array: Array) -> tuple[str, ...]:
    """Return a warning for each label value that is too thin for the image's voxels."""
    present = set(np.unique(array).tolist())
    return tuple(
        f"label value {value} covers less than half of each voxel and is lost ({count} of its "
        "voxels)"
        for value, count in label_counts(label.array[0]).items()
        if value not in present
    )


def _millimeters(volume: Volume) -> str:
    return " x ".join(f"{step:.3g}" for step in volume.spacing) + " mm"
