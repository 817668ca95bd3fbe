"""Measures each class of a segmentation: volume, centroid, bounding box and intensities.

Positions are RAS in mm. Bounding boxes extend to the outer voxel faces along the RAS axes, for any
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
from ..images.label_regions import joint_box, mask_of
from ..images.volume import Volume

Array = NDArray[Any]

FILE_NAME = "measurements.csv"
_UNDEFINED = (math.nan,) * 3


@dataclass(frozen=True)
class Measurement:
    """The measurements of one class of one case; NaN where a class without voxels has none.

    `centroid`, `low` and `high` (the corners of the bounding box) are RAS in mm. `mean` and
    `deviation` (population standard deviation) are in the image's unit, HU for CT.
    """

    case: str
    label: int
    name: str
    voxels: int
    volume_ml: float
    mean: float = math.nan
    deviation: float = math.nan
    centroid: tuple[float, ...] = _UNDEFINED
    low: tuple[float, ...] = _UNDEFINED
    high: tuple[float, ...] = _UNDEFINED


def measure(
    case: str,
    image: Volume,
    label: Volume,
    names: Mapping[int, str],
    regions: Mapping[int, Sequence[int]] | None = None,
) -> tuple[Measurement, ...]:
    """Measure each class of a case.

    Args:
        case: its name.
        image: its first channel is measured.
        label: (1, x, y, z) label values on the image's grid.
        names: of the classes to measure, in their order.
        regions: values that belong to a class, see `nesting`; its own by default.
    """
    classes = label.array[0]
    boxes = ndimage.find_objects(classes)
    return tuple(
        _measure_class(
            Measurement(case, value, name, 0, 0.0),
            image,
            classes,
            boxes,
            (regions or {}).get(value, (value,)),
        )
        for value, name in names.items()
    )


def _measure_class(
    empty: Measurement,
    image: Volume,
    classes: Array,
    boxes: Sequence[Any],
    values: Sequence[int],
) -> Measurement:
    box = joint_box(boxes, values)
    if box is None:
        return empty
    mask = mask_of(classes[box], values)
    start = np.array([part.start for part in box], float)
    intensities = image.array[0][box][mask].astype(np.float64)
    center = start + ndimage.center_of_mass(mask)
    low, high = _extent(mask, start, image.affine)
    voxels = int(np.count_nonzero(mask))
    return Measurement(
        empty.case,
        empty.label,
        empty.name,
        voxels,
        voxels * abs(float(np.linalg.det(image.affine[:3, :3]))) / 1000,
        float(intensities.mean()),
        float(intensities.std()),
        _floats(image.affine[:3, :3] @ center + image.affine[:3, 3]),
        _floats(low),
        _floats(high),
    )


def _extent(mask: Array, start: Array, affine: Array) -> tuple[Array, Array]:
    """Return the smallest and largest R, A and S of a mask's voxel faces.

    Positions are monotonic along a row of voxels, so the ends of the rows suffice.
    """
    rows = mask.any(axis=0)
    y, z = np.nonzero(rows)
    first = mask.argmax(axis=0)[rows]
    last = len(mask) - 1 - mask[::-1].argmax(axis=0)[rows]
    ends = np.array([[*first, *last], [*y, *y], [*z, *z]]) + start[:, np.newaxis]
    positions = affine[:3, :3] @ ends + affine[:3, 3:]
    half = np.abs(affine[:3, :3]).sum(axis=1) / 2
    return positions.min(axis=1) - half, positions.max(axis=1) + half


def write_measurements(path: Path, measurements: Sequence[Measurement]) -> None:
    """Write one row per case and class as CSV; undefined values are empty.

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
    """Return a table for the terminal; the CSV file has more columns."""
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


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
