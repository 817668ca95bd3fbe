"""Which scans without a segmentation a training gets, and that nothing reads what is hidden."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.augmentation.stored import StoredSubject
from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.cli import main
from GenSegLib.data import subjects
from GenSegLib.data.case_cache import CaseCache
from GenSegLib.data.layouts import read_cases
from GenSegLib.data.subjects import load_subjects
from GenSegLib.data.unlabeled import TEST_CASES, draw_cases
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder, State
from GenSegLib.training.sampling import patches_of

Capture = pytest.CaptureFixture[str]
CPU = torch.device("cpu")


def segmented(count: int) -> CaseSet:
    names = [f"case_{k:03d}" for k in range(count)]
    return CaseSet(tuple(Case(name, Path(f"{name}.nii"), Path(f"{name}_l.nii")) for name in names))


def with_scans(cases: CaseSet, count: int) -> CaseSet:
    scans = (Case(f"scan_{k}", Path(f"scan_{k}.nii"), None, Role.UNLABELED) for k in range(count))
    return dataclasses.replace(cases, cases=(*cases.cases, *scans))


def names(cases: tuple[Case, ...]) -> set[str]:
    return {case.name for case in cases}


def drawn(cases: CaseSet, labeled: int | None, limit: int | None = None, seed: int = 0) -> CaseSet:
    return draw_cases(cases, labeled, seed, unlabeled=True, limit=limit)


def test_scans_without_a_segmentation_are_all_taken() -> None:
    found = drawn(with_scans(segmented(3), 5), None)
    assert len(found.of_role(Role.UNLABELED)) == 5 and len(found.labeled) == 3


def test_a_limit_takes_fewer_and_the_same_with_the_same_seed() -> None:
    cases = with_scans(segmented(3), 20)
    few, more, other = (drawn(cases, None, *kind) for kind in ((5,), (9,), (5, 1)))
    assert len(few.of_role(Role.UNLABELED)) == 5
    assert names(few.of_role(Role.UNLABELED)) < names(more.of_role(Role.UNLABELED))
    assert names(few.of_role(Role.UNLABELED)) != names(other.of_role(Role.UNLABELED))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_rest_of_the_hippocampus_is_hidden_but_for_the_test_cases(
    hippocampus: Path, seed: int
) -> None:
    cases = read_cases(hippocampus)
    ordered = sorted(case.name for case in cases.cases)
    order = [ordered[k] for k in np.random.RandomState(seed).permutation(208)]
    found = drawn(cases, 10, seed=seed)
    assert names(found.labeled) == set(order[:10])
    assert names(found.of_role(Role.UNLABELED)) == set(order[10:-TEST_CASES])
    assert all(case.label is None for case in found.of_role(Role.UNLABELED))


def test_any_number_of_labeled_cases_is_joined_by_the_same_scans() -> None:
    five, twenty = (drawn(segmented(100), count, 20) for count in (5, 20))
    assert five.of_role(Role.UNLABELED) == twenty.of_role(Role.UNLABELED)


def test_without_being_asked_nothing_is_hidden_and_scans_stay() -> None:
    cases = with_scans(segmented(60), 2)
    found = draw_cases(cases, 5, 0, unlabeled=False)
    assert found == cases.low_data(5, 0)


@pytest.mark.parametrize(
    ("cases", "labeled", "limit", "message"),
    [
        (segmented(4), None, None, "none is there"),
        (segmented(50), 5, None, "last 48 segmented cases"),
        (with_scans(segmented(4), 3), None, 4, "4 scans .* 3 are there"),
        (with_scans(segmented(4), 3), None, 0, "0 scans .* 3 are there"),
    ],
    ids=["no scan", "only test cases are left", "more than there are", "none wanted"],
)
def test_too_few_scans_are_said(
    cases: CaseSet, labeled: int | None, limit: int | None, message: str
) -> None:
    with pytest.raises(GenSegError, match=message):
        drawn(cases, labeled, limit)


def test_a_scan_becomes_a_subject_without_its_label(
    write_tiny_cases: Callable[..., Path],
) -> None:
    case = dataclasses.replace(read_cases(write_tiny_cases(1)).cases[0], role=Role.UNLABELED)
    assert case.label is not None
    case.label.write_bytes(b"no volume")
    (subject,) = load_subjects([case], load_preset("generic-mri"), [1, 2], CPU)
    assert not subject.label.any()


def test_a_large_scan_is_read_from_disk_patch_by_patch(
    write_tiny_cases: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(subjects, "LARGE", 100)
    case = dataclasses.replace(
        read_cases(write_tiny_cases(1)).cases[0], label=None, role=Role.UNLABELED
    )
    preset = dataclasses.replace(load_preset("generic-mri"), patch_size=(8, 8, 8))
    cache = CaseCache(tmp_path / "cache", 1e12)
    (stored,) = load_subjects([case], preset, [1, 2], CPU, cache)
    (memory,) = load_subjects([case], preset, [1, 2], CPU)
    assert isinstance(stored, StoredSubject)
    both = []
    for subject in (stored, memory):
        rng = Randomness(torch.Generator().manual_seed(0))
        both.append(patches_of([subject], preset).draw(rng, 3)[0])
    assert torch.allclose(*both, atol=2e-3)


def genseg(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


SHORT = [
    text
    for name in ("joint_steps=2", "final_steps=2", "validate_every=2")
    for text in ("--set", name)
]


def test_a_training_with_hidden_cases_never_reads_their_labels(
    write_tiny_cases: Callable[..., Path], tmp_path: Path
) -> None:
    data, out = write_tiny_cases(TEST_CASES + 5), tmp_path / "run"
    labeled = names(read_cases(data).low_data(3, 0).cases)
    for case in read_cases(data).cases:
        if case.name not in labeled:
            assert case.label is not None
            case.label.write_bytes(b"no volume")
    asked = ("--labeled", 3, "--no-generator", "--unlabeled", "mean-teacher", *SHORT)
    assert genseg("train", data, "--preset", "hippocampus-mri", *asked, "--out", out) == 0
    run = RunFolder.open(out)
    assert run.read_status()["state"] == State.FINISHED.value
    assert names(run.cases.labeled) == labeled
    assert len(run.cases.of_role(Role.UNLABELED)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--unlabeled", "mean-teacher"), "scans without a segmentation are asked for"),
        (("--unlabeled-cases", 5), "--unlabeled-cases needs --unlabeled"),
    ],
    ids=["no scan is there", "no method"],
)
def test_what_cannot_be_is_said_in_one_line(
    write_tiny_cases: Callable[..., Path],
    tmp_path: Path,
    capsys: Capture,
    arguments: tuple[object, ...],
    message: str,
) -> None:
    out = tmp_path / "run"
    data = write_tiny_cases(3)
    assert genseg("train", data, "--preset", "generic-mri", "--out", out, *arguments) == 2
    told = capsys.readouterr().err.strip()
    assert message in told and "\n" not in told
    assert not out.exists()
