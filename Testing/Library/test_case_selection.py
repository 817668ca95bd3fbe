"""Selection of labeled and unlabeled cases; labels of unlabeled cases are never read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import genseg

from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.checks.learned_cases import find_learned
from GenSegLib.data import case_loading
from GenSegLib.data.case_cache import CaseCache
from GenSegLib.data.case_loading import load_training_cases
from GenSegLib.data.stored_case import StoredCase
from GenSegLib.datasets.case_selection import (
    cases_with_only_examples,
    select_cases,
    with_duplicates_as_one_person,
)
from GenSegLib.datasets.image_io import Volume, write_image
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder, State
from GenSegLib.training.sampling import patch_sampler

CPU = torch.device("cpu")


def labeled_cases(count: int) -> CaseSet:
    names = [f"case_{k:03d}" for k in range(count)]
    return CaseSet(tuple(Case(name, Path(f"{name}.nii"), Path(f"{name}_l.nii")) for name in names))


def with_unlabeled(cases: CaseSet, count: int) -> CaseSet:
    scans = (Case(f"scan_{k}", Path(f"scan_{k}.nii"), None, Role.UNLABELED) for k in range(count))
    return dataclasses.replace(cases, cases=(*cases.cases, *scans))


def names(cases: tuple[Case, ...]) -> set[str]:
    return {case.name for case in cases}


def select(cases: CaseSet, labeled: int | None) -> CaseSet:
    return select_cases(cases, labeled, 0, unlabeled=True)


def test_all_unlabeled_cases_are_selected_by_default() -> None:
    found = select(with_unlabeled(labeled_cases(3), 5), None)
    assert len(found.of_role(Role.UNLABELED)) == 5
    assert len(found.labeled) == 3


def test_remaining_labeled_cases_become_unlabeled() -> None:
    cases = labeled_cases(30)
    found = select(cases, 10)
    assert found.labeled == cases.subset(10, 0).labeled
    assert names(found.of_role(Role.UNLABELED)) == names(cases.cases) - names(found.labeled)
    assert all(case.label is None for case in found.of_role(Role.UNLABELED))
    five, twenty = (select(cases, count).of_role(Role.UNLABELED) for count in (5, 20))
    assert five[:10] == twenty


def test_further_cases_of_a_selected_person_are_left_out() -> None:
    persons = ("anna", "anna", "carl", "carl", "dora", "dora")
    cases = labeled_cases(6)
    cases = CaseSet(
        tuple(dataclasses.replace(each, person=who) for each, who in zip(cases.cases, persons))
    )
    found = select(cases, 3)
    labeled, unlabeled = (
        {case.person for case in part} for part in (found.labeled, found.of_role(Role.UNLABELED))
    )
    assert len(found.labeled) == 3
    assert (len(labeled), len(unlabeled)) == (2, 1)
    assert not labeled & unlabeled


def test_cases_of_a_person_with_the_only_examples_of_a_class() -> None:
    cases = labeled_cases(4)
    pair = [dataclasses.replace(case, person="anna") for case in cases.cases[:2]]
    cases = CaseSet((*pair, *cases.cases[2:]))
    names = [case.name for case in cases.cases]
    values = dict(zip(names, ({1, 2}, {1, 2}, {1}, {1, 3})))
    assert cases_with_only_examples(cases, values) == {names[0], names[1], names[3]}


def test_duplicates_count_as_one_person() -> None:
    cases = labeled_cases(4)
    a, b, c, d = (case.name for case in cases.cases)
    found = with_duplicates_as_one_person(cases, {c: a, d: c})
    assert [case.person_or_name for case in found.cases] == [a, b, a, a]


def test_without_a_need_for_unlabeled_cases_no_label_is_hidden() -> None:
    cases = with_unlabeled(labeled_cases(60), 2)
    assert select_cases(cases, 5, 0, unlabeled=False) == cases.subset(5, 0)


def test_no_unlabeled_cases_are_an_error() -> None:
    with pytest.raises(GenSegError, match="there are no unlabeled images"):
        select(labeled_cases(4), None)


def test_the_label_of_an_unlabeled_case_is_not_read(write_tiny_cases: Callable[..., Path]) -> None:
    case = dataclasses.replace(read_cases(write_tiny_cases(1)).cases[0], role=Role.UNLABELED)
    assert case.label is not None
    case.label.write_bytes(b"not a volume")
    (loaded,) = load_training_cases(
        [case], load_preset("generic-mri"), {1: "Anterior", 2: "Posterior"}, CPU
    )
    assert not loaded.label.any()


def test_large_unlabeled_cases_are_read_from_disk(
    write_tiny_cases: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(case_loading, "LARGE", 100)
    case = dataclasses.replace(
        read_cases(write_tiny_cases(1)).cases[0], label=None, role=Role.UNLABELED
    )
    preset = dataclasses.replace(load_preset("generic-mri"), patch_size=(8, 8, 8))
    cache = CaseCache(tmp_path / "cache", 1e12)
    (stored,) = load_training_cases([case], preset, {1: "Anterior", 2: "Posterior"}, CPU, cache)
    (in_memory,) = load_training_cases([case], preset, {1: "Anterior", 2: "Posterior"}, CPU)
    assert isinstance(stored, StoredCase)
    images = []
    for loaded in (stored, in_memory):
        rng = RandomGenerator(0)
        images.append(patch_sampler([loaded], preset).sample(rng, 3)[0])
    assert torch.allclose(*images, atol=2e-3)


def test_training_never_reads_labels_of_unselected_cases(
    write_tiny_cases: Callable[..., Path], tmp_path: Path
) -> None:
    data, out = write_tiny_cases(5), tmp_path / "run"
    labeled = names(read_cases(data).subset(3, 0).cases)
    for case in read_cases(data).cases:
        if case.name not in labeled:
            assert case.label is not None
            case.label.write_bytes(b"not a volume")
    short = [
        text
        for value in ("joint_steps=2", "final_steps=2", "validation_interval=2")
        for text in ("--set", value)
    ]
    options = ("--labeled", 3, "--no-generator", "--unlabeled", *short)
    assert genseg("train", data, "--preset", "hippocampus-mri", *options, "--out", out) == 0
    run = RunFolder.open(out)
    assert run.read_status()["state"] == State.FINISHED.value
    assert names(run.cases.labeled) == labeled
    assert len(run.cases.of_role(Role.UNLABELED)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--unlabeled",), "there are no unlabeled images"),
        (("--unlabeled-cases", 5), "--unlabeled-cases"),
    ],
)
def test_impossible_options_are_explained_in_one_line(
    write_tiny_cases: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[object, ...],
    message: str,
) -> None:
    out = tmp_path / "run"
    data = write_tiny_cases(3)
    assert genseg("train", data, "--preset", "generic-mri", "--out", out, *arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
    assert not out.exists()


def test_learned_cases_are_recognized_by_their_images_rather_than_their_names(
    tmp_path: Path,
) -> None:
    def case(name: str, file: str, seed: int) -> Case:
        voxels = np.random.default_rng(seed).normal(size=(1, 4, 5, 6)).astype(np.float32)
        write_image(tmp_path / file, Volume(voxels, np.eye(4)))
        return Case(name, tmp_path / file, tmp_path / f"{name}_label.nii")

    learned = [case(name, f"{name}.nii", seed) for seed, name in enumerate("abcd")]
    (tmp_path / "d.nii").unlink()
    cases = [
        case("other patient", "new/a.nii", 10),
        dataclasses.replace(learned[0], name="renamed"),
        case("b", "new/b.nii", 11),
        case("c", "new/c.nrrd", 2),
        case("copied", "new/e.nii", 1),
        case("d", "new/d.nii", 3),
    ]
    assert find_learned(cases, learned) == {"renamed", "c", "copied", "d"}
