"""Work in steps between the turns of the event loop."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from GenSegSlicerLib import Job, VolumeContents
from GenSegSlicerLib.CaseWriter import CaseWriter
from GenSegSlicerLib.PairChecker import PairChecker
from GenSegSlicerLib.TrainingPair import TrainingPair
from mrml_nodes import GRIDS, add_segmentation, add_volume, oriented_image

from GenSegLib.config import TrainConfig
from GenSegLib.presets import load_preset
from GenSegLib.steps import Steps

SHAPE = (40, 12, 10)
NAMES = {1: "Liver"}


def test_a_drive_that_fails_between_steps_is_reported_in_one_line(host: Any) -> None:
    def steps() -> Steps[None]:
        yield 0.5
        raise OSError(errno.EIO, "Input/output error", "/away/image.nrrd")

    fractions: list[float] = []
    ended: list[str] = []
    task = Job.IdleTask(steps(), fractions.append, ended.append)
    host.wait_until(lambda: ended)
    text = "/away/image.nrrd: Input/output error; check the drive and the permissions, then try"
    assert (fractions, ended) == ([0.5], [f"{text} again"])
    del task


class Checks:
    """Pairs of large volumes with the same size and sum, checked one step per turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Job, "_TURN_S", 0.0)
        monkeypatch.setattr(VolumeContents, "_SMALL_VOXELS", 0)
        self.pairs = [self._pair(k) for k in range(2)]
        self.isFinished = False
        self.checker = PairChecker(lambda: {"Liver": "Liver"}, lambda row: None, self._finish)

    def _finish(self) -> None:
        self.isFinished = True

    def _pair(self, k: int) -> TrainingPair:
        voxels = np.zeros(SHAPE, np.int16)
        voxels[k, 5, 5] = 100
        volume = add_volume(voxels, GRIDS["RAS"], f"CT {k}")
        grid = GRIDS["RAS"] @ np.diag([0.5, 0.5, 0.5, 1.0])  # must be resampled
        label = np.ones([2 * size for size in SHAPE], np.uint8)
        return TrainingPair(volume, add_segmentation([(oriented_image(label, grid), NAMES)]))


@pytest.fixture
def checks(scene: Any, monkeypatch: pytest.MonkeyPatch) -> Checks:
    return Checks(monkeypatch)


def test_large_volumes_are_checked_and_compared_slice_by_slice(host: Any, checks: Checks) -> None:
    checks.checker.check(checks.pairs)
    turns = 0
    while checks.pairs[0].status == "":
        host.process_events()
        turns += 1
    assert turns > 3 * SHAPE[0]  # find, resample, merge
    turns = 0
    while not checks.isFinished:
        host.process_events()
        turns += 1
    assert turns > 7 * SHAPE[0]  # the other volume, then sums and voxels of both
    assert [pair.status for pair in checks.pairs] == ["ok", "ok"]


def test_a_scene_that_is_closed_during_a_check_ends_it(host: Any, checks: Checks) -> None:
    checks.checker.check(checks.pairs)
    for _ in range(10):
        host.process_events()
    slicer.mrmlScene.Clear(0)
    checks.checker.check([])
    host.wait_until(lambda: checks.isFinished)
    assert checks.pairs[0].status == ""


def test_pairs_that_are_listed_again_during_a_check_are_checked(host: Any, checks: Checks) -> None:
    checks.checker.check(checks.pairs)
    for _ in range(10):
        host.process_events()
    checks.checker.check(checks.pairs[::-1])
    host.wait_until(lambda: checks.isFinished)
    assert [pair.status for pair in checks.pairs] == ["ok", "ok"]


def test_the_cases_of_a_training_are_written_slice_by_slice(checks: Checks, tmp_path: Path) -> None:
    config, preset = TrainConfig(validation_fraction=0), load_preset("generic-ct")
    writer = CaseWriter(checks.pairs, preset, config, {"Liver": "Liver"})
    steps = list(writer.steps(tmp_path / "run"))
    writing = steps[steps.index(0.5) :]
    assert writing.count(None) > 2 * 5 * SHAPE[0]  # images; labels: find, resample, merge, write
    assert len(list((tmp_path / "run" / "inputs" / "labels").iterdir())) == 2


def test_the_settings_of_a_run_are_flushed_to_the_disk_in_a_turn_of_their_own(
    checks: Checks, tmp_path: Path
) -> None:
    config, preset = TrainConfig(validation_fraction=0), load_preset("generic-ct")
    writer = CaseWriter(checks.pairs, preset, config, {"Liver": "Liver"})
    before = None
    for step in writer.steps(tmp_path / "run"):
        if list(tmp_path.glob(".*/status.json")):
            assert None not in (before, step)  # a known fraction ends a turn
            return
        before = step
    raise AssertionError("the run was not created")
