"""Preparation of the cases of a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from grids import make_affine

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.commands.training_cases import prepare_cases
from GenSegLib.data.image_io import Volume, write_image, write_label
from GenSegLib.presets import load_preset

GENERIC = load_preset("generic-mri")


def case_of(folder: Path, name: str, axes: str, spacing: tuple[float, float, float]) -> Case:
    random = np.random.default_rng(len(list(folder.iterdir())))
    affine = make_affine(axes, spacing)
    image, label = folder / f"{name}.nii.gz", folder / f"{name}_label.nii.gz"
    write_image(image, Volume(random.random((1, 8, 9, 10)).astype(np.float32), affine))
    write_label(label, Volume(np.ones((1, 8, 9, 10), np.int16), affine), {1: "Part"})
    return Case(name, image, label, Role.TRAIN)


def test_the_default_spacing_is_the_median_of_the_cases(tmp_path: Path) -> None:
    """Along anatomical axes, whatever the axis order of the files."""
    cases = (
        case_of(tmp_path, "axial", "RAS", (0.5, 0.6, 3.0)),
        case_of(tmp_path, "sagittal", "SAR", (3.0, 0.6, 0.5)),
        case_of(tmp_path, "coarse", "LPS", (1.0, 1.0, 4.0)),
    )
    _, preset = prepare_cases(CaseSet(cases, {1: "Part"}), GENERIC, 0.3, 0)
    assert preset == replace(GENERIC, spacing=(0.5, 0.6, 3.0))


def test_the_spacing_of_a_preset_is_kept(tmp_path: Path) -> None:
    cases = (case_of(tmp_path, "one", "RAS", (0.5, 0.6, 3.0)),)
    own = replace(GENERIC, spacing=(1.0, 1.0, 1.0))
    assert prepare_cases(CaseSet(cases, {1: "Part"}), own, 0.3, 0)[1] == own
