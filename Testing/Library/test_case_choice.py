"""What a training makes of the cases that it is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from grids import make_affine

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.commands.case_choice import choose_cases
from GenSegLib.images.image_io import Volume, write_image, write_label
from GenSegLib.presets import load_preset

GENERIC = load_preset("generic-mri")


def case_of(folder: Path, name: str, axes: str, spacing: tuple[float, float, float]) -> Case:
    random = np.random.default_rng(len(list(folder.iterdir())))
    affine = make_affine(axes, spacing)
    image, label = folder / f"{name}.nii.gz", folder / f"{name}_label.nii.gz"
    write_image(image, Volume(random.random((1, 8, 9, 10)).astype(np.float32), affine))
    write_label(label, Volume(np.ones((1, 8, 9, 10), np.int16), affine), {1: "Part"})
    return Case(name, image, label, Role.TRAIN)


def test_a_preset_without_a_spacing_gets_the_usual_one_of_the_cases(tmp_path: Path) -> None:
    """Along the axes of the body, whatever order the files have them in."""
    cases = (
        case_of(tmp_path, "axial", "RAS", (0.5, 0.6, 3.0)),
        case_of(tmp_path, "sagittal", "SAR", (3.0, 0.6, 0.5)),
        case_of(tmp_path, "coarse", "LPS", (1.0, 1.0, 4.0)),
    )
    _, preset = choose_cases(CaseSet(cases, {1: "Part"}), GENERIC, 0.3, 0)
    assert preset == replace(GENERIC, spacing=(0.5, 0.6, 3.0))


def test_a_presets_own_spacing_stays(tmp_path: Path) -> None:
    cases = (case_of(tmp_path, "one", "RAS", (0.5, 0.6, 3.0)),)
    own = replace(GENERIC, spacing=(1.0, 1.0, 1.0))
    assert choose_cases(CaseSet(cases, {1: "Part"}), own, 0.3, 0)[1] == own
