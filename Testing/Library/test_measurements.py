"""Measurements of shapes with known size and intensities."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from grids import make_affine

from GenSegLib.datasets.image_io import Volume
from GenSegLib.prediction.measurements import (
    Measurement,
    format_measurements,
    measure,
    write_measurements,
)

CORNER, SIZE = np.array([3, 4, 5]), np.array([6, 5, 4])


def boxed(affine: np.ndarray) -> tuple[Volume, Volume]:
    """An intensity ramp, and a label of value 4 on 6 x 5 x 4 voxels."""
    label = np.zeros((1, 12, 13, 14), np.int16)
    label[(0, *(slice(a, a + n) for a, n in zip(CORNER, SIZE)))] = 4
    image = np.arange(label.size, dtype=np.float32).reshape(label.shape)
    return Volume(image, affine), Volume(label, affine)


def test_a_box_is_measured_exactly() -> None:
    image, label = boxed(make_affine("PIL", (0.8, 1.5, 2.5), (20, -35, 50), (12, -34, 56)))
    (found,) = measure("a", image, label, {4: "Box"})
    inside = image.array[label.array == 4]
    assert (found.case, found.label, found.name, found.voxels) == ("a", 4, "Box", 120)
    assert found.size == pytest.approx(120 * 0.8 * 1.5 * 2.5 / 1000)
    assert found.mean == pytest.approx(inside.mean())
    assert found.deviation == pytest.approx(inside.std(dtype=float))


def test_a_class_without_voxels_has_zero_volume_and_dashes() -> None:
    image, label = boxed(np.eye(4))
    box, none = measure("a", image, label, {4: "Box", 9: "Lesion"})
    assert none.voxels == none.size == 0
    assert math.isnan(none.mean)
    lines = format_measurements([box, none], "HU").splitlines()
    assert lines[0].split("  ")[0] == "case"
    assert "mean ± SD (HU)" in lines[0]
    assert lines[2].split() == ["a", "Lesion", "0.00", "-"]


def test_the_table_has_one_row_per_case_and_class(tmp_path: Path) -> None:
    image, label = boxed(np.diag([1.0, 1.0, 2.0, 1.0]))
    found = [*measure("a", image, label, {4: "Box", 9: "Lesion"})]
    write_measurements(tmp_path / "measurements.csv", [*found, Measurement("b", 4, "Box", 0, 0.0)])
    with (tmp_path / "measurements.csv").open(encoding="utf-8", newline="") as stream:
        rows = [*csv.DictReader(stream)]
    assert [(row["case"], row["name"]) for row in rows] == [
        ("a", "Box"),
        ("a", "Lesion"),
        ("b", "Box"),
    ]
    assert float(rows[0]["volume_ml"]) == pytest.approx(0.24)
    assert rows[1]["mean"] == rows[1]["standard_deviation"] == ""


@pytest.mark.parametrize(
    ("unit", "spacing", "area"), [("px", (1.0, 1.0), 12), ("mm", (0.5, 0.2), 1.2)]
)
def test_2d_images_have_areas(
    tmp_path: Path, unit: str, spacing: tuple[float, float], area: float
) -> None:
    """A picture of 20 x 10 pixels with a label of 4 x 3, beside a volume."""
    affine = np.diag([-spacing[0], -spacing[1], 1.0, 1.0])
    label = np.zeros((1, 20, 10, 1), np.int16)
    label[0, 5:9, 2:5] = 1
    image = Volume(np.ones((3, 20, 10, 1), np.uint8), affine, unit=unit)
    (found,) = measure("a", image, Volume(label, affine, unit=unit), {1: "Lesion"})
    assert (found.size, found.unit) == (pytest.approx(area), f"{unit}2")
    both = [found, *measure("b", *boxed(np.eye(4)), {4: "Organ"})]
    table = format_measurements(both)
    assert f"area ({unit}2)" in table and "volume (ml)" in table
    write_measurements(tmp_path / "m.csv", both)
    first, second = csv.DictReader((tmp_path / "m.csv").open(encoding="utf-8"))
    assert float(first[f"area_{unit}2"]) == pytest.approx(area)
    assert first["volume_ml"] == second[f"area_{unit}2"] == ""
