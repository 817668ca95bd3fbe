"""Slices of a volume with label contours: a PNG with vector contours on top."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case_annotation import PLANES as _AXIS
from ..images.geometry import plan_reorient, world_axis
from ..images.volume import Volume

Array = NDArray[Any]
Color = tuple[int, int, int]
PLANES = ("axial", "coronal", "sagittal")
_IN_PLANE = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}
DEFAULT_COLOR: Color = (255, 210, 0)
_COLORS, _WHITE = 3, 255


@dataclass(frozen=True)
class Contours:
    """A label volume (x, y, z) to draw as contours; references are dashed."""

    label: Array
    dashed: bool = False


def to_ras(volume: Volume) -> tuple[Array, tuple[float, float, float]]:
    """Return what is shown of a volume reoriented to RAS, and its spacing in mm or pixels.

    That is the first channel, or three of a 2-D image in color: (channel, x, y, z).
    """
    x, y, z = volume.array.shape[1:]
    plan = plan_reorient(volume.affine, (x, y, z), "RAS")
    right, front, up = (float(volume.spacing[axis]) for axis in plan.order)
    is_color = volume.is_2d and len(volume.array) == _COLORS
    shown = volume.array if is_color else volume.array[:1]
    return plan.forward(shown, 0.0), (right, front, up)


def planes_of(volume: Volume) -> tuple[str, ...]:
    """Return the planes in which a volume is shown: that of a 2-D image, else all three."""
    if not volume.is_2d:
        return PLANES
    across = world_axis(volume.orientation[volume.slice_axis])
    return tuple(plane for plane in PLANES if _AXIS[plane] == across)


def tile(
    image: Array,
    contours: tuple[Contours, ...],
    plane: str,
    spacing: tuple[float, float, float],
    window: tuple[float, float],
    colors: Mapping[int, Color],
) -> str:
    """Return the slice with the most voxels of the first label as an SVG element.

    Radiological convention: the patient's right is on the left.

    Args:
        image: (channel, x, y, z) in RAS, of one channel or three colors.
        contours: label volumes on the same grid.
        plane: one of `PLANES`.
        spacing: in mm.
        window: values shown as black and as white.
        colors: color of each label value.
    """
    axis = _AXIS[plane]
    index = largest_section(contours[0].label, axis)
    picture = np.stack([_to_screen(np.take(channel, index, axis)) for channel in image], -1)
    height, width = picture.shape[:2]
    across, down = (spacing[other] for other in _IN_PLANE[plane])
    size = width * across, height * down
    paths = "".join(
        _contour_paths(_to_screen(np.take(each.label, index, axis)), each.dashed, colors)
        for each in contours
    )
    filled = (
        f' style="aspect-ratio: {size[0]:g} / {size[1]:g}"' if image.shape[1 + axis] == 1 else ""
    )
    return (
        f'<svg class="tile"{filled} viewBox="0 0 {size[0]:g} {size[1]:g}" '
        'preserveAspectRatio="xMidYMid">'
        f'<image width="{size[0]:g}" height="{size[1]:g}" preserveAspectRatio="none" '
        f'href="{_png(picture, window)}"/>'
        f'<g class="contours" fill="none" transform="scale({across:g} {down:g})">{paths}</g></svg>'
    )


def largest_section(label: Array, axis: int) -> int:
    """Return the slice along an axis with the most labeled voxels, or the middle one."""
    others = tuple(other for other in range(3) if other != axis)
    areas = (label > 0).sum(axis=others)
    return int(np.argmax(areas)) if areas.any() else label.shape[axis] // 2


def display_window(image: Array, fixed: tuple[float, float] | None = None) -> tuple[float, float]:
    """Return the values for black and white: fixed for raw CT and photos, else percentiles.

    Args:
        image: (x, y, z), or (channel, x, y, z) with three channels for a photo.
        fixed: window of CT.
    """
    if fixed is not None and image.min() < fixed[0] - 50:
        return fixed
    is_photo = image.ndim == 4 and len(image) == _COLORS
    if is_photo and image.min() >= 0 and 1 < image.max() <= _WHITE:
        return (0.0, float(_WHITE))
    low, high = (float(value) for value in np.percentile(image, (0.5, 99.7)))
    return (low, high) if high > low else (low, low + 1.0)


def _to_screen(section: Array) -> Array:
    """Return a RAS section as rows from top to bottom and columns from left to right.

    Right and front are on the left of the screen, front and head at the top.
    """
    return section.T[::-1, ::-1]


def _contour_paths(section: Array, dashed: bool, colors: Mapping[int, Color]) -> str:
    from matplotlib.figure import Figure  # slow to import, and only reports need it

    axes = Figure().add_subplot()
    paths = []
    for value in np.unique(section[section > 0]):
        # padding closes contours at the border, and shifts indices by one
        mask = np.pad(section == value, 1).astype(float)
        (lines,) = axes.contour(mask, levels=[0.5]).allsegs
        color = "#{:02x}{:02x}{:02x}".format(*colors.get(int(value), DEFAULT_COLOR))
        kind = ' class="dashed"' if dashed else ""
        paths.append(f'<path{kind} d="{"".join(map(_path, lines))}" stroke="{color}"/>')
    return "".join(paths)


def _path(line: Array) -> str:
    # voxel k covers k to k + 1 in the image, and k + 1 is its index in the padded mask
    return "M" + " ".join(f"{x - 0.5:.4g},{y - 0.5:.4g}" for x, y in line) + "Z"


def _png(picture: Array, window: tuple[float, float]) -> str:
    """Return an image (row, column, channel) as the data URL of a PNG."""
    from matplotlib.image import imsave

    stream = io.BytesIO()
    low, high = window
    scaled = np.clip((np.nan_to_num(picture) - low) / (high - low), 0, 1)
    shown = scaled if picture.shape[2] == _COLORS else scaled[..., 0]
    imsave(stream, shown, cmap="gray", vmin=0, vmax=1, format="png")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
