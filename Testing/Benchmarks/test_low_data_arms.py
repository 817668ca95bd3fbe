"""Every arm of the low-data benchmark, for two steps on phantoms, and the shifts of scanner."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from low_data import REHEARSAL, run_jobs
from low_data_parts.arms import ARMS, GENSEG_ARMS
from low_data_parts.conditions import Conditions
from low_data_parts.jobs import Job
from low_data_parts.shifts import SHIFTS, shifted, shifted_cases
from low_data_parts.tables import read_table
from scanner_shift import score

from GenSegLib.cli import build_parser, main
from GenSegLib.config import TrainConfig
from GenSegLib.prediction.predictor import Predictor
from GenSegLib.presets import load_preset

TEST_CASES = 1
NETWORK = "unet"


def in_this_process(*arguments: object) -> None:
    """Run a verb as the command line does, without the seconds that a new process takes."""
    assert main([*map(str, arguments)]) == 0


def train_in_this_process(command: Sequence[object]) -> tuple[float, float]:
    in_this_process(*command)
    return 0.0, 0.0


@pytest.fixture(scope="module")
def conditions(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Conditions:
    """Phantoms, a small patch, and two steps of each phase."""
    folder = tmp_path_factory.mktemp("low-data")
    preset = replace(load_preset("hippocampus-mri"), patch_size=(16, 24, 16))
    file = folder / "small.json"
    file.write_text(json.dumps(preset.to_json()), encoding="utf-8")
    settings = (*REHEARSAL, "upper_every=2")
    return Conditions(
        phantoms,
        folder / "runs",
        folder / "results",
        preset=str(file),
        device="cpu",
        options=tuple(word for setting in settings for word in ("--set", setting)),
        test_cases=TEST_CASES,
        train=train_in_this_process,
        verb=in_this_process,
    )


@pytest.mark.parametrize("arm", GENSEG_ARMS)
def test_the_command_line_knows_what_each_arm_asks_for(arm: str) -> None:
    args = build_parser().parse_args(["train", "cases", *GENSEG_ARMS[arm].options])
    assert TrainConfig(**dict(args.settings or ()))


@pytest.mark.parametrize("arm", ARMS)
def test_each_arm_trains_and_is_scored_on_the_test_cases(conditions: Conditions, arm: str) -> None:
    job = Job(NETWORK, arm, 3, 0)
    assert run_jobs([job], conditions) == []
    rows = [row for row in read_table(conditions.scores) if Job.of(row) == job]
    assert len(rows) == 2 * TEST_CASES
    assert all(0 <= float(row["dice"]) <= 1 for row in rows)
    [cost] = [row for row in read_table(conditions.costs) if Job.of(row) == job]
    assert cost["segmenter_steps"] == "4"
    assert float(cost["train_s"]) > 0


def test_an_interrupted_training_goes_on(conditions: Conditions) -> None:
    job = Job(NETWORK, "plain", 4, 0)
    commands: list[Sequence[object]] = []

    def train(command: Sequence[object]) -> tuple[float, float]:
        commands.append(command)
        in_this_process(*command)
        if len(commands) == 1:
            raise SystemExit("interrupted")
        return 0.0, 0.0

    interrupted = replace(conditions, train=train)
    assert run_jobs([job], interrupted) == [job]
    assert run_jobs([job], interrupted) == []
    assert "--resume" in commands[1]
    assert job in {Job.of(row) for row in read_table(conditions.scores)}


def test_the_changes_of_scanner_are_the_same_for_every_arm(conditions: Conditions) -> None:
    first, again = (list(shifted_cases(conditions.data, 0, TEST_CASES)) for _ in range(2))
    assert len(first) == TEST_CASES * len(SHIFTS)
    for one, other in zip(first, again):
        assert np.array_equal(one.image.array, other.image.array)


@pytest.mark.parametrize("shift", [name for name in SHIFTS if name != "none"])
def test_each_change_of_scanner_changes_the_image(conditions: Conditions, shift: str) -> None:
    case = next(shifted_cases(conditions.data, 0, TEST_CASES))
    assert not np.allclose(shifted(case.image, shift, 0).array, case.image.array, atol=0.1)


def test_a_model_is_scored_as_it_is_and_under_every_shift(conditions: Conditions) -> None:
    run_jobs([Job(NETWORK, "plain", 3, 0)], conditions)
    model = Job(NETWORK, "plain", 3, 0).folder(conditions.runs) / "model"
    cases = list(shifted_cases(conditions.data, 0, TEST_CASES))
    scores, bins = score(Predictor(model, "cpu"), cases)
    assert [row["shift"] for row in scores] == [case.shift for case in cases]
    assert {row["shift"] for row in bins} == set(SHIFTS)
