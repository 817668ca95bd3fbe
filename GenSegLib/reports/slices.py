"""Slices of a volume with label contours: a small PNG with vector outlines on top."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from contourpy import contour_generator
from numpy.typing import NDArray

from ..images.geometry import plan_reorient
from ..images.image_io import Volume

Array = NDArray[Any]
Color = tuple[int, int, int]
PLANES = ("axial", "coronal", "sagittal")
_AXIS = {"axial": 2, "coronal": 1, "sagittal": 0}


@dataclass(frozen=True)
class Outline:
    """A label volume (x, y, z) to be drawn as contours; dashed ones are references."""

    label: Array
    dashed: bool = False


def to_ras(volume: Volume) -> tuple[Array, tuple[float, float, float]]:
    """The first channel (x, y, z) flipped and permuted to right, front, up; and its spacing."""
    x, y, z = volume.array.shape[1:]
    plan = plan_reorient(volume.affine, (x, y, z), "RAS")
    right, front, up = (float(volume.spacing[axis]) for axis in plan.order)
    return plan.forward(volume.array[:1], 0.0)[0], (right, front, up)


def tile(
    image: Array,
    outlines: tuple[Outline, ...],
    plane: str,
    spacing: tuple[float, float, float],
    window: tuple[float, float],
    colors: Mapping[int, Color],
) -> str:
    """One plane through the largest section of the first outline, as an SVG element.

    Radiological convention: the patient's right is on the left.

    Args:
        image: (x, y, z) in right, front, up.
        outlines: label volumes on the same grid.
        plane: one of `PLANES`.
        spacing: mm along x, y and z.
        window: values shown as black and as white.
        colors: color of each label value.
    """
    axis = _AXIS[plane]
    place = largest_section(outlines[0].label, axis)
    picture = _seen(np.take(image, place, axis), plane)
    height, width = picture.shape
    across, down = {"axial": (0, 1), "coronal": (0, 2), "sagittal": (1, 2)}[plane]
    size = width * spacing[across], height * spacing[down]
    paths = "".join(
        _contours(_seen(np.take(outline.label, place, axis), plane), outline.dashed, colors)
        for outline in outlines
    )
    return (
        f'<svg class="tile" viewBox="0 0 {size[0]:g} {size[1]:g}" preserveAspectRatio="xMidYMid">'
        f'<image width="{size[0]:g}" height="{size[1]:g}" preserveAspectRatio="none" '
        f'href="{_png(picture, window)}"/>'
        f'<g class="contours" transform="scale({spacing[across]:g} {spacing[down]:g})">{paths}</g>'
        "</svg>"
    )


def largest_section(label: Array, axis: int) -> int:
    """Index along an axis where the labels cover most; the middle where there are none."""
    others = tuple(other for other in range(3) if other != axis)
    areas = (label > 0).sum(axis=others)
    return int(np.argmax(areas)) if areas.any() else label.shape[axis] // 2


def window_of(image: Array, fixed: tuple[float, float] | None = None) -> tuple[float, float]:
    """Values for black and white: the fixed window for raw CT, else robust extremes."""
    if fixed is not None and image.min() < fixed[0] - 50:
        return fixed
    low, high = (float(value) for value in np.percentile(image, (0.5, 99.7)))
    return (low, high) if high > low else (low, low + 1.0)


def _seen(section: Array, plane: str) -> Array:
    """A section as rows from top to bottom and columns from left to right of the screen."""
    # Axial and coronal sections run from the patient's left to right, sagittal ones from back to
    # front; the screen wants right and front on the left, front and head at the top.
    return section.T[::-1, ::-1]


def _contours(section: Array, dashed: bool, colors: Mapping[int, Color]) -> str:
    paths = []
    for value in np.unique(section[section > 0]):
        mask = np.pad(section == value, 1).astype(float)
        lines = contour_generator(z=mask).lines(0.5)
        if not lines:
            continue
        color = "#{:02x}{:02x}{:02x}".format(*colors.get(int(value), (255, 210, 0)))
        drawn = "".join(_path(np.asarray(line)) for line in lines)
        kind = ' class="dashed"' if dashed else ""
        paths.append(f'<path{kind} d="{drawn}" stroke="{color}"/>')
    return "".join(paths)


def _path(line: Array) -> str:
    # The padding moved indices by one; voxel k covers k to k + 1 in the picture.
    points = " ".join(f"{x - 0.5:.4g},{y - 0.5:.4g}" for x, y in line)
    return f"M{points}Z"


def _png(picture: Array, window: tuple[float, float]) -> str:
    """Data address of an 8-bit gray PNG (W3C, Portable Network Graphics, 2003)."""
    low, high = window
    gray = np.clip((picture.astype(np.float64) - low) / (high - low) * 255, 0, 255)
    height, width = gray.shape
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = np.rint(np.nan_to_num(gray))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, content)
        for kind, content in (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(rows.tobytes(), 9)),
            (b"IEND", b""),
        )
    )
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
