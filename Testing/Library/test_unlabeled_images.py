"""Images without labels that users name: which are used, and what they make of a training."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest
from made_up_case import made_up_case
from small_runs import phantom_cases
from unlabeled_runs import run_of

from GenSegLib import commands
from GenSegLib.cases import Role
from GenSegLib.cli import build_parser
from GenSegLib.commands.training_cases import prepare_cases
from GenSegLib.commands.training_plan import plan_training
from GenSegLib.datasets.image_io import Volume, write_image
from GenSegLib.datasets.layouts import with_unlabeled
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset
from GenSegLib.training.recoloring import _some

SHAPE = (40, 32, 6)


def test_images_of_a_folder_become_unlabeled_cases(tmp_path: Path) -> None:
    cases = phantom_cases(3)
    (tmp_path / "scans").mkdir()
    for case in cases.cases[:2]:
        (tmp_path / "scans" / case.image.name).symlink_to(case.image)
    found = with_unlabeled(cases, tmp_path / "scans")
    added = found.of_role(Role.UNLABELED)
    assert len(added) == 2 and not any(case.label for case in added)
    assert len({case.name for case in found.cases}) == 5


def test_unlabeled_scans_of_another_modality_make_the_model_one_for_other_scanners(
    tmp_path: Path,
) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    array = np.random.default_rng(0).uniform(-1000, 300, (1, 24, 24, 24)).astype(np.float32)
    write_image(scans / "ct.nii.gz", Volume(array, np.eye(4)))
    cases = with_unlabeled(phantom_cases(3), scans)
    prepared = prepare_cases(cases, load_preset("hippocampus-mri"), 0.3, 0)
    config, preset, _ = plan_training(prepared, "quick", {"self_training": True})
    assert (config.generator, config.target_scanner) == ("regions", 0.5)
    assert preset.intensity.kind == "robust"
    config, _, _ = plan_training(prepared, "quick", {})
    assert config.target_scanner == 0


def test_scans_of_labeled_cases_are_left_out(tmp_path: Path) -> None:
    """As in a folder of all scans, of which some are segmented."""
    everything = phantom_cases(5)
    labeled = dataclasses.replace(everything, cases=everything.cases[:3])
    cases = with_unlabeled(labeled, everything.cases[0].image.parent)
    texts: list[str] = []
    prepared = prepare_cases(cases, load_preset("hippocampus-mri"), 0.3, 0, texts.append)
    assert len(prepared.cases.of_role(Role.UNLABELED)) == 2
    assert "unlabeled images skipped because they duplicate other cases: 3" in texts


def test_images_that_cannot_be_learned_from_are_left_out_and_named(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    array = np.random.default_rng(0).uniform(0, 300, (2, 24, 24, 24)).astype(np.float32)
    for name, voxels in (("good", array[:1]), ("flat", 0 * array[:1]), ("two", array)):
        write_image(scans / f"{name}.nii.gz", Volume(voxels, np.eye(4)))
    (scans / "broken.nii.gz").write_bytes(b"no image")
    texts: list[str] = []
    preset = load_preset("hippocampus-mri")
    prepared = prepare_cases(
        with_unlabeled(phantom_cases(3), scans), preset, 0.3, 0, texts.append, needs_unlabeled=True
    )
    assert [case.name for case in prepared.cases.of_role(Role.UNLABELED)] == ["good"]
    assert any("3 of 4 unlabeled images were skipped (broken, flat, two)" in text for text in texts)


def test_without_any_usable_image_nothing_begins(tmp_path: Path) -> None:
    """Also in a folder with the images of the labeled cases alone."""
    scans = tmp_path / "scans"
    write_image(scans / "flat.nii.gz", Volume(np.zeros((1, 8, 8, 8), np.float32), np.eye(4)))
    write_image(
        scans / "slice.nii.gz", Volume(np.eye(8, dtype=np.float32)[None, ..., None], np.eye(4))
    )
    preset, cases = load_preset("hippocampus-mri"), phantom_cases(3)
    images = cases.cases[0].image.parent
    for folder, reason in ((scans, "flat: all voxels .* the same"), (images, "labeled cases")):
        with pytest.raises(GenSegError, match=f"none of the unlabeled images .*{reason}"):
            prepare_cases(with_unlabeled(cases, folder), preset, 0.3, 0, needs_unlabeled=True)


def test_a_run_of_a_program_gets_the_normalization_for_other_scanners(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", generator="regions", target_scanner=0.5)
    assert run.preset.intensity.kind != "robust"
    args = build_parser().parse_args(["train", str(run.path)])
    args.started = time.monotonic()
    planned = commands.train._find_run(args)
    assert planned.preset.intensity.kind == "robust"
    implied = {"unlabeled_fraction": 0.0, "dual_normalization": True}
    assert planned.config == dataclasses.replace(run.config, **implied)


def test_contrasts_are_taken_from_a_few_cases_spread_over_all() -> None:
    cases = [made_up_case(SHAPE)] * 30
    assert len(_some(cases)) == 10
    assert len(_some(cases[:5])) == 5 and not _some([])
