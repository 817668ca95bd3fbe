"""Measures each class of a segmentation: its size, and the image's intensities in it.

Sizes are volumes in ml, for 2-D images areas in mm2, or px2 where the file has no scale.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..files import write_csv
from ..images.label_regions import mask_of, union_box
from ..images.volume import Volume, select_frame
from ..text_table import text_table

Array = NDArray[Any]

FILE_NAME = "measurements.csv"
_SIZE_NAMES = {"ml": "volume", "mm2": "area", "px2": "area"}


@dataclass(frozen=True)
class Measurement:
    """The measurements of one class of one case.

    Attributes:
        case: its name.
        label: value of the class.
        name: of the class.
        voxels: their number.
        size: volume or area.
        unit: of the size: "ml", "mm2" or "px2".
        mean: of the intensities, in the image's unit, HU for CT; NaN without voxels.
        deviation: population standard deviation of the intensities; NaN without voxels.
    """

    case: str
    label: int
    name: str
    voxels: int
    size: float
    unit: str = "ml"
    mean: float = math.nan
    deviation: float = math.nan

    @property
    def size_title(self) -> str:
        """What the size is, such as "volume_ml"."""
        return f"{_SIZE_NAMES[self.unit]}_{self.unit}"


def measure(
    case: str,
    image: Volume,
    label: Volume,
    names: Mapping[int, str],
    regions: Mapping[int, Sequence[int]] | None = None,
) -> tuple[Measurement, ...]:
    """Measure each class of a case; the frames of a stack are measured one by one.

    Args:
        case: its name.
        image: its first channel is measured.
        label: (1, x, y, z) label values on the image's grid.
        names: of the classes to measure, in their order.
        regions: values that belong to a class, see `nesting`; its own by default.
    """
    if not image.is_stack:
        return tuple(_measure_image(case, image, label.array[0], names, regions or {}))
    parts = (
        _measure_image(
            f"{case}_frame{number:03d}",
            select_frame(image, number),
            label.array[0, ..., number - 1 : number],
            names,
            regions or {},
        )
        for number in range(1, image.shape[2] + 1)
    )
    return tuple(chain.from_iterable(parts))


def _measure_image(
    case: str,
    image: Volume,
    classes: Array,
    names: Mapping[int, str],
    regions: Mapping[int, Sequence[int]],
) -> Iterator[Measurement]:
    unit = f"{image.unit}2" if image.is_2d else "ml"
    boxes = ndimage.find_objects(classes)
    for value, name in names.items():
        found = Measurement(case, value, name, 0, 0.0, unit)
        values = regions.get(value, (value,))
        box = union_box(boxes, values)
        if box is not None:
            inside = image.array[0][box][mask_of(classes[box], values)].astype(np.float64)
            found = replace(
                found,
                voxels=len(inside),
                size=len(inside) * _voxel_size(image),
                mean=float(inside.mean()),
                deviation=float(inside.std()),
            )
        yield found


def _voxel_size(image: Volume) -> float:
    """Return the volume of a voxel in ml, or the area of a pixel of a 2-D image."""
    if image.is_2d:
        return math.prod(step for k, step in enumerate(image.spacing) if k != image.slice_axis)
    return math.prod(image.spacing) / 1000


def write_measurements(path: Path, measurements: Sequence[Measurement]) -> None:
    """Write one row per case and class as CSV; undefined values are empty.

    Raises:
        GenSegError: the file cannot be written.
    """
    rows = [_row(one) for one in measurements]
    columns = dict.fromkeys(column for row in rows for column in row)
    write_csv(path, [list(columns), *([row.get(name) for name in columns] for row in rows)])


def format_measurements(measurements: Sequence[Measurement], unit: str = "") -> str:
    """Return a table for the terminal, one for each unit of size.

    Args:
        measurements: to show.
        unit: of the intensities.
    """
    units = dict.fromkeys(one.unit for one in measurements)
    tables = (_table([one for one in measurements if one.unit == size], unit) for size in units)
    return "\n\n".join(tables)


def _table(measurements: Sequence[Measurement], unit: str) -> str:
    size = f"{_SIZE_NAMES[measurements[0].unit]} ({measurements[0].unit})"
    rows = [["case", "class", size, f"mean ± SD ({unit})" if unit else "mean ± SD"]]
    for one in measurements:
        intensity = f"{one.mean:.1f} ± {one.deviation:.1f}" if one.voxels else "-"
        rows.append([one.case, one.name, f"{one.size:.2f}", intensity])
    return text_table(rows)


def _row(one: Measurement) -> dict[str, object]:
    return {
        "case": one.case,
        "label": one.label,
        "name": one.name,
        "voxels": one.voxels,
        one.size_title: f"{one.size:.6g}",
        "mean": _text(one.mean),
        "standard_deviation": _text(one.deviation),
    }


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
