"""Measurements of shapes with known volume, position and intensities."""

from __future__ import annotations

import csv
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from grids import affines, make_affine, sizes
from hypothesis import given, settings

from GenSegLib.data.image_io import Volume
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


@pytest.mark.parametrize(
    ("orientation", "angles"), [("RAS", (0, 0, 0)), ("LPS", (20, -35, 50)), ("PIL", (20, -35, 50))]
)
def test_a_box_is_measured_exactly(orientation: str, angles: tuple[float, ...]) -> None:
    affine = make_affine(orientation, (0.8, 1.5, 2.5), angles, (12, -34, 56))
    image, label = boxed(affine)
    (found,) = measure("a", image, label, {4: "Box"})
    corners = np.array([*product(*zip(CORNER - 0.5, CORNER + SIZE - 0.5))])
    places = corners @ affine[:3, :3].T + affine[:3, 3]
    inside = image.array[label.array == 4]
    assert (found.case, found.label, found.name, found.voxels) == ("a", 4, "Box", 120)
    assert found.size == pytest.approx(120 * 0.8 * 1.5 * 2.5 / 1000)
    np.testing.assert_allclose(found.low, places.min(axis=0))
    np.testing.assert_allclose(found.high, places.max(axis=0))
    np.testing.assert_allclose(found.centroid, places.mean(axis=0))
    assert found.mean == pytest.approx(inside.mean())
    assert found.deviation == pytest.approx(inside.std(dtype=float))


@settings(max_examples=30)
@given(affines, sizes)
def test_bounding_box_and_centroid_of_any_mask(affine: np.ndarray, size: tuple[int, ...]) -> None:
    label = (np.random.default_rng(0).random((1, *size)) < 0.3).astype(np.int16)
    label[0, 0, 0, 0] = 1
    (found,) = measure("a", Volume(label, affine), Volume(label, affine), {1: "Any"})
    places = np.argwhere(label[0]) @ affine[:3, :3].T + affine[:3, 3]
    half = np.abs(affine[:3, :3]).sum(axis=1) / 2
    np.testing.assert_allclose(found.low, places.min(axis=0) - half, atol=1e-6)
    np.testing.assert_allclose(found.high, places.max(axis=0) + half, atol=1e-6)
    np.testing.assert_allclose(found.centroid, places.mean(axis=0), atol=1e-6)


def test_a_class_without_voxels_has_zero_volume_and_dashes() -> None:
    image, label = boxed(np.eye(4))
    box, none = measure("a", image, label, {4: "Box", 9: "Lesion"})
    assert none.voxels == none.size == 0
    assert math.isnan(none.mean)
    lines = format_measurements([box, none], "HU").splitlines()
    assert lines[0].split("  ")[0] == "case"
    assert "mean ± SD (HU)" in lines[0]
    assert lines[2].split() == ["a", "Lesion", "0.00", "-", "-", "-"]


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
    assert [float(rows[0][f"low_{axis}_mm"]) for axis in "RAS"] == [2.5, 3.5, 9.0]
    assert [float(rows[0][f"high_{axis}_mm"]) for axis in "RAS"] == [8.5, 8.5, 17.0]
    assert rows[1]["mean"] == rows[1]["low_R_mm"] == ""


def pixels(unit: str, spacing: tuple[float, ...], has_position: bool) -> tuple[Volume, Volume]:
    """A picture of 20 x 10 pixels with a label of 4 x 3 at (5, 2)."""
    affine = np.diag([-spacing[0], -spacing[1], 1.0, 1.0])
    image = np.ones((3, 20, 10, 1), np.uint8)
    label = np.zeros((1, 20, 10, 1), np.int16)
    label[0, 5:9, 2:5] = 1
    grid = {"has_position": has_position, "unit": unit}
    return Volume(image, affine, **grid), Volume(label, affine, **grid)


@pytest.mark.parametrize(
    ("unit", "spacing", "area"), [("px", (1.0, 1.0), 12), ("mm", (0.5, 0.2), 1.2)]
)
def test_pictures_have_areas_and_places_from_the_top_left(
    tmp_path: Path, unit: str, spacing: tuple[float, float], area: float
) -> None:
    image, label = pixels(unit, spacing, has_position=False)
    (found,) = measure("a", image, label, {1: "Lesion"})
    assert (found.size, found.unit) == (pytest.approx(area), f"{unit}2")
    assert found.centroid == pytest.approx((6.5 * spacing[0], 3 * spacing[1]))
    assert found.low == pytest.approx((4.5 * spacing[0], 1.5 * spacing[1]))
    assert f"area ({unit}2)" in format_measurements([found])
    write_measurements(tmp_path / "m.csv", [found])
    (row,) = csv.DictReader((tmp_path / "m.csv").open(encoding="utf-8"))
    assert float(row[f"area_{unit}2"]) == pytest.approx(area)
    assert float(row[f"centroid_x_{unit}"]) == pytest.approx(6.5 * spacing[0])


def test_a_slice_with_a_position_has_its_area_and_place(tmp_path: Path) -> None:
    image, label = pixels("mm", (0.5, 0.2), has_position=True)
    (found,) = measure("a", image, label, {1: "Lesion"})
    assert (found.size, found.unit, found.axes) == (pytest.approx(1.2), "mm2", "RAS")
    assert found.centroid == pytest.approx((-3.25, -0.6, 0))
    both = [found, *measure("b", *boxed(np.eye(4)), {4: "Organ"})]
    write_measurements(tmp_path / "m.csv", both)
    first, second = csv.DictReader((tmp_path / "m.csv").open(encoding="utf-8"))
    assert first["volume_ml"] == "" and second["area_mm2"] == ""
    assert format_measurements(both).count("case") == 2
