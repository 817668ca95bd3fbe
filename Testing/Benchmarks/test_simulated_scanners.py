"""Simulated scanners change intensities alone, and always in the same way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from cohorts_data import CohortCase
from simulated_scanners import SCANNERS, simulate_scanners

FLUID, GRAY, WHITE = 10, 60, 100


@pytest.fixture
def case(tmp_path: Path) -> CohortCase:
    """A noisy scan of three tissues side by side, with slices of 1.5 mm."""
    voxels = np.repeat([FLUID, GRAY, WHITE], 8)[None, None].repeat(20, 0).repeat(20, 1)
    voxels = voxels + np.random.default_rng(0).normal(0, 2, voxels.shape)
    image = SimpleITK.GetImageFromArray(voxels.astype(np.float32))
    image.SetSpacing((1.0, 1.0, 1.5))
    image.SetOrigin((5.0, -3.0, 20.0))
    path = tmp_path / "scan.nii.gz"
    SimpleITK.WriteImage(image, str(path))
    return CohortCase("scan", "scan", (path,), None)


def _means(case: CohortCase) -> list[float]:
    voxels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(case.images[0])))
    return [float(voxels[:, :, k : k + 8].mean()) for k in (0, 8, 16)]


def test_scans_keep_their_geometry_and_their_names(case: CohortCase, tmp_path: Path) -> None:
    own = SimpleITK.ReadImage(str(case.images[0]))
    for (changed,) in simulate_scanners([case], tmp_path / "out").values():
        image = SimpleITK.ReadImage(str(changed.images[0]))
        assert changed.images[0].name == case.images[0].name
        assert image.GetSize() == own.GetSize()
        assert image.GetSpacing() == pytest.approx(own.GetSpacing())
        assert image.GetOrigin() == pytest.approx(own.GetOrigin())


def test_every_model_sees_the_same_scans(case: CohortCase, tmp_path: Path) -> None:
    first, second = (simulate_scanners([case], tmp_path / name) for name in ("first", "second"))
    for scanner in SCANNERS:
        assert _means(first[scanner][0]) == _means(second[scanner][0])


@pytest.mark.parametrize("scanner", ["inverted", "t2-like"])
def test_fluid_becomes_brighter_than_white_matter(
    case: CohortCase, tmp_path: Path, scanner: str
) -> None:
    fluid, gray, white = _means(simulate_scanners([case], tmp_path / "out")[scanner][0])
    assert fluid > gray > white
