"""`genseg train --deterministic`: the same result to the bit, or one line that it cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import STEPS, few_channels, final_learner, tiny_cases

from GenSegLib.cli import main
from GenSegLib.computing.devices import deterministic
from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder
from GenSegLib.training.learner import Learner
from Testing.training_states import differing

SETTINGS = {**STEPS, "validate_every": 6, "threads": 1, "segmenter": "unet"}


def train(data: Path, run: Path) -> RunFolder:
    settings = [part for item in SETTINGS.items() for part in ("--set", "{}={}".format(*item))]
    arguments = [str(data), "--preset", "hippocampus-mri", "--out", str(run), *settings]
    with few_channels():
        assert main(["train", *arguments, "--deterministic"]) == 0
    return RunFolder.open(run)


def test_two_trainings_of_one_seed_are_the_same_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_cases(tmp_path / "cases")
    step, asked = Learner.joint_step, []

    def watched(learner: Learner, *arguments: Any) -> dict[str, float]:
        asked.append(torch.are_deterministic_algorithms_enabled())
        return step(learner, *arguments)

    monkeypatch.setattr(Learner, "joint_step", watched)
    first, second = (train(tmp_path / "cases", tmp_path / name) for name in ("a", "b"))
    assert differing(final_learner(first), final_learner(second)) == []
    assert first.config.deterministic
    assert set(asked) == {True}
    assert not torch.are_deterministic_algorithms_enabled(), "it lasts as long as the training"


def test_what_a_device_cannot_compute_in_order_is_one_line_that_says_what_to_do() -> None:
    told = r"no deterministic way .* without --deterministic"
    with pytest.raises(GenSegError, match=told), deterministic(True):
        torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))


def test_nothing_is_held_to_order_where_nobody_asks() -> None:
    with deterministic(False):
        torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))
