"""Measures each class of a segmentation: size, centroid, bounding box and intensities.

Sizes are volumes in ml, for 2-D images areas in mm2, or px2 where the file has no scale. Positions
are RAS in mm; in 2-D images without a position x and y from the center of the top left pixel.
Bounding boxes extend to the outer voxel faces along these axes, for any orientation of the image.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..files import write_text
from ..images.label_regions import joint_box, mask_of
from ..images.volume import Volume, select_frame
from ..text_table import text_table

Array = NDArray[Any]

FILE_NAME = "measurements.csv"
_UNDEFINED = (math.nan,) * 3
_SIZE_NAMES = {"ml": "volume", "mm2": "area", "px2": "area"}


@dataclass(frozen=True)
class Measurement:
    """The measurements of one class of one case; NaN where a class without voxels has none.

    Attributes:
        case: its name.
        label: value of the class.
        name: of the class.
        voxels: their number.
        size: volume or area.
        unit: of the size: "ml", "mm2" or "px2".
        axes: of positions, "RAS" or "xy".
        mean: of the intensities, in the image's unit, HU for CT.
        deviation: population standard deviation of the intensities.
        centroid: along each of the axes, in mm or pixels.
        low: corner of the bounding box.
        high: opposite corner.
    """

    case: str
    label: int
    name: str
    voxels: int
    size: float
    unit: str = "ml"
    axes: str = "RAS"
    mean: float = math.nan
    deviation: float = math.nan
    centroid: tuple[float, ...] = _UNDEFINED
    low: tuple[float, ...] = _UNDEFINED
    high: tuple[float, ...] = _UNDEFINED

    @property
    def length_unit(self) -> str:
        """Unit of positions: "mm" or "px"."""
        return "px" if self.unit == "px2" else "mm"

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
        return _measure_image(case, image, label.array[0], names, regions or {})
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
) -> tuple[Measurement, ...]:
    unit = f"{image.unit}2" if image.is_2d else "ml"
    axes = "xy" if image.is_2d and not image.has_position else "RAS"
    boxes = ndimage.find_objects(classes)
    return tuple(
        _measure_class(
            Measurement(case, value, name, 0, 0.0, unit, axes),
            image,
            classes,
            boxes,
            regions.get(value, (value,)),
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
    affine = image.affine if empty.axes == "RAS" else np.diag([*image.spacing, 1.0])
    center = affine[:3, :3] @ (start + ndimage.center_of_mass(mask)) + affine[:3, 3]
    low, high = _extent(mask, start, affine)
    voxels, dims = int(np.count_nonzero(mask)), len(empty.axes)
    return replace(
        empty,
        voxels=voxels,
        size=voxels * _voxel_size(image),
        mean=float(intensities.mean()),
        deviation=float(intensities.std()),
        centroid=_floats(center[:dims]),
        low=_floats(low[:dims]),
        high=_floats(high[:dims]),
    )


def _voxel_size(image: Volume) -> float:
    """Return the volume of a voxel in ml, or the area of a pixel of a 2-D image."""
    if image.is_2d:
        return math.prod(step for k, step in enumerate(image.spacing) if k != image.slice_axis)
    return math.prod(image.spacing) / 1000


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
    columns = dict.fromkeys(column for row in rows for column in row)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def format_measurements(measurements: Sequence[Measurement], unit: str = "") -> str:
    """Return a table for the terminal, one for volumes and one for 2-D images; the CSV has more."""
    kinds = dict.fromkeys((one.unit, one.axes) for one in measurements)
    tables = (
        _table([one for one in measurements if (one.unit, one.axes) == kind], unit)
        for kind in kinds
    )
    return "\n\n".join(tables)


def _table(measurements: Sequence[Measurement], unit: str) -> str:
    values = f"mean ± SD ({unit})" if unit else "mean ± SD"
    first = measurements[0]
    size = f"{_SIZE_NAMES[first.unit]} ({first.unit})"
    box = f"box {' x '.join(first.axes)} ({first.length_unit})"
    center = f"center {', '.join(first.axes)} ({first.length_unit})"
    rows = [["case", "class", size, values, box, center]]
    for one in measurements:
        cells = ["-", "-", "-"]
        if one.voxels:
            lengths = (high - low for low, high in zip(one.low, one.high))
            cells = [
                f"{one.mean:.1f} ± {one.deviation:.1f}",
                " x ".join(f"{length:.0f}" for length in lengths),
                ", ".join(f"{place:.1f}" for place in one.centroid),
            ]
        rows.append([one.case, one.name, f"{one.size:.2f}", *cells])
    return text_table(rows)


def _row(one: Measurement) -> dict[str, object]:
    row: dict[str, object] = {
        "case": one.case,
        "label": one.label,
        "name": one.name,
        "voxels": one.voxels,
        one.size_title: f"{one.size:.6g}",
        "mean": _text(one.mean),
        "standard_deviation": _text(one.deviation),
    }
    for title, place in (("centroid", one.centroid), ("low", one.low), ("high", one.high)):
        row.update(
            {f"{title}_{axis}_{one.length_unit}": _text(v) for axis, v in zip(one.axes, place)}
        )
    return row


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
