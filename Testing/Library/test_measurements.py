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
    assert found.volume_ml == pytest.approx(120 * 0.8 * 1.5 * 2.5 / 1000)
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
    assert none.voxels == none.volume_ml == 0
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
