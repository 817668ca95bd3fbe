"""Measures each class of a segmentation: volume, place, box and the image's values in it.

Positions are in patient coordinates, RAS in mm: R grows to the patient's right, A to the front, S
to the head. A box reaches from outer voxel face to outer voxel face along these axes, whatever the
orientation of the image.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..files import write_text
from ..images.image_io import Volume

Array = NDArray[Any]

FILE_NAME = "measurements.csv"
_NOWHERE = (math.nan,) * 3


@dataclass(frozen=True)
class Measurement:
    """One class of one case; what an empty class lacks is NaN.

    `centroid`, `low` and `high` (the corners of the box) are RAS in mm. `mean` and `deviation` (of
    the population) are in the image's unit, HU for a CT.
    """

    case: str
    label: int
    name: str
    voxels: int
    volume_ml: float
    mean: float = math.nan
    deviation: float = math.nan
    centroid: tuple[float, ...] = _NOWHERE
    low: tuple[float, ...] = _NOWHERE
    high: tuple[float, ...] = _NOWHERE


def measure(
    case: str, image: Volume, label: Volume, names: Mapping[int, str]
) -> tuple[Measurement, ...]:
    """Measure each class of a case.

    Args:
        case: its name.
        image: its first channel is measured.
        label: (1, x, y, z) of whole numbers on the image's grid.
        names: of the classes to measure, in their order.
    """
    classes = label.array[0]
    boxes = ndimage.find_objects(classes)
    return tuple(
        _measure_class(case, value, name, image, classes, boxes) for value, name in names.items()
    )


def _measure_class(
    case: str, value: int, name: str, image: Volume, classes: Array, boxes: Sequence[Any]
) -> Measurement:
    box = boxes[value - 1] if value <= len(boxes) else None
    if box is None:
        return Measurement(case, value, name, 0, 0.0)
    mask = classes[box] == value
    start = np.array([part.start for part in box], float)
    values = image.array[0][box][mask].astype(np.float64)
    center = start + ndimage.center_of_mass(mask)
    low, high = _extent(mask, start, image.affine)
    voxels = int(np.count_nonzero(mask))
    return Measurement(
        case,
        value,
        name,
        voxels,
        voxels * abs(float(np.linalg.det(image.affine[:3, :3]))) / 1000,
        float(values.mean()),
        float(values.std()),
        _three(image.affine[:3, :3] @ center + image.affine[:3, 3]),
        _three(low),
        _three(high),
    )


def _extent(mask: Array, start: Array, affine: Array) -> tuple[Array, Array]:
    """Give the least and the largest R, A and S of a mask's voxel faces.

    A position grows or falls evenly along a row of voxels, so that the ends of the rows suffice.
    """
    rows = mask.any(axis=0)
    y, z = np.nonzero(rows)
    first = mask.argmax(axis=0)[rows]
    last = len(mask) - 1 - mask[::-1].argmax(axis=0)[rows]
    ends = np.array([[*first, *last], [*y, *y], [*z, *z]]) + start[:, np.newaxis]
    places = affine[:3, :3] @ ends + affine[:3, 3:]
    half = np.abs(affine[:3, :3]).sum(axis=1) / 2
    return places.min(axis=1) - half, places.max(axis=1) + half


def write_measurements(path: Path, measurements: Sequence[Measurement]) -> None:
    """Write one row a case and class as CSV; what is not there is left empty.

    Raises:
        GenSegError: the file cannot be written.
    """
    rows = [_row(one) for one in measurements]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def format_measurements(measurements: Sequence[Measurement], unit: str = "") -> str:
    """Lay out volume, values and place for a terminal; the CSV file has the rest."""
    values = f"mean ± SD ({unit})" if unit else "mean ± SD"
    rows = [["case", "class", "volume (ml)", values, "box R x A x S (mm)", "center R, A, S (mm)"]]
    for one in measurements:
        cells = ["-", "-", "-"]
        if one.voxels:
            size = (high - low for low, high in zip(one.low, one.high))
            cells = [
                f"{one.mean:.1f} ± {one.deviation:.1f}",
                " x ".join(f"{length:.0f}" for length in size),
                ", ".join(f"{place:.1f}" for place in one.centroid),
            ]
        rows.append([one.case, one.name, f"{one.volume_ml:.2f}", *cells])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _row(one: Measurement) -> dict[str, object]:
    row: dict[str, object] = {
        "case": one.case,
        "label": one.label,
        "name": one.name,
        "voxels": one.voxels,
        "volume_ml": f"{one.volume_ml:.6g}",
        "mean": _text(one.mean),
        "standard_deviation": _text(one.deviation),
    }
    for title, place in (("centroid", one.centroid), ("low", one.low), ("high", one.high)):
        row.update({f"{title}_{axis}_mm": _text(v) for axis, v in zip("RAS", place)})
    return row


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _three(values: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
