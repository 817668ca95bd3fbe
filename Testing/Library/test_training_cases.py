"""Preparation of the cases of a training: checks, split, warnings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from grids import make_affine

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.commands.training_cases import prepare_cases
from GenSegLib.datasets.image_io import Volume, read_image, read_label, write_image, write_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.presets import load_preset

GENERIC = load_preset("generic-mri")


def test_the_spacing_of_a_preset_is_kept(tmp_path: Path) -> None:
    affine = make_affine("RAS", (0.5, 0.6, 3.0))
    image, label = tmp_path / "a.nii.gz", tmp_path / "a_label.nii.gz"
    array = np.random.default_rng(0).random((1, 8, 9, 10)).astype(np.float32)
    write_image(image, Volume(array, affine))
    write_label(label, Volume(np.ones((1, 8, 9, 10), np.int16), affine), {1: "Part"})
    cases = CaseSet((Case("a", image, label),), {1: "Part"})
    own = replace(GENERIC, spacing=(1.0, 1.0, 1.0))
    assert prepare_cases(cases, own, 0.3, 0).preset == own


def names(cases: CaseSet, role: Role) -> set[str]:
    return {case.name for case in cases.of_role(role)}


@pytest.mark.parametrize("seed", range(4))
def test_the_only_case_with_a_class_is_trained(
    write_tiny_cases: Callable[..., Path], seed: int
) -> None:
    root = write_tiny_cases(5)
    path = root / "labels" / "case_2.nii.gz"
    label = read_label(path)
    label.array[label.array == 2] = 5
    write_label(path, label)
    messages: list[str] = []
    prepared = prepare_cases(read_cases(root), GENERIC, 0.5, seed, messages.append)
    assert "case_2" in names(prepared.cases, Role.TRAIN)
    (message,) = [text for text in messages if "Label 5" in text]
    assert "only 1 of 5 labeled cases (case_2)" in message


@pytest.mark.parametrize("seed", range(4))
def test_duplicates_are_on_one_side(write_tiny_cases: Callable[..., Path], seed: int) -> None:
    """In other axes, too."""
    root = write_tiny_cases(4)
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    for part, read, write in (("images", read_image, write_image), ("labels", read_label, None)):
        volume = read(root / part / "case_0.nii.gz")
        affine = volume.affine @ flip
        affine[:3, 3] = (volume.affine @ [*(n - 1 for n in volume.shape[:2]), 0, 1])[:3]
        turned = Volume(volume.array[:, ::-1, ::-1].copy(), affine)
        (write or write_label)(root / part / "case_3.nii.gz", turned)
    messages: list[str] = []
    cases = prepare_cases(read_cases(root), GENERIC, 0.5, seed, messages.append).cases
    assert any("case_3: the image has the same 960 voxels as case case_0" in m for m in messages)
    sides = {case.role for case in cases.cases if case.name in ("case_0", "case_3")}
    assert len(sides) == 1
    assert names(cases, Role.VALIDATE)


def test_persons_are_said_before_the_training(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(4)
    for part in ("images", "labels"):
        for k in range(4):
            name = f"patient{k // 2}_frame{k % 2}.nii.gz"
            (root / part / f"case_{k}.nii.gz").rename(root / part / name)
    messages: list[str] = []
    cases = prepare_cases(read_cases(root), GENERIC, 0.3, 0, messages.append).cases
    assert messages[0].startswith("warning: 4 cases show 2 persons according to the names")
    persons = {case.person for case in cases.of_role(Role.VALIDATE)}
    assert len(persons) == 1
    assert not persons & {case.person for case in cases.of_role(Role.TRAIN)}
