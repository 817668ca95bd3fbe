"""Batches that are drawn while the step before is computed are those that would be drawn anyway."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_learners import small_learner

from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.feedback import Feedback
from GenSegLib.training.drawing_ahead import DrawingAhead
from GenSegLib.training.learner import Learner


def numbers() -> Randomness:
    return Randomness(torch.Generator().manual_seed(0), torch.device("cpu"))


def learner_of(folder: Path, *, ahead: bool, **changes: object) -> Learner:
    torch.manual_seed(0)
    learner = small_learner(folder, **changes)
    learner.ahead = DrawingAhead(learner.rng, is_on=ahead)
    return learner


def weights_after(learner: Learner, feedback: Feedback | None = None) -> list[torch.Tensor]:
    """The segmenter's weights after steps of all phases, on the way of which a clinician speaks."""
    if learner.config.has_generator:
        learner.warm_up_step()
    learner.joint_step(0)
    if feedback:
        learner.follow(feedback)
    learner.joint_step(1)
    learner.final_step()
    learner.final_step()
    return [weight.detach().clone() for weight in learner.problem.middle_parameters()]


@pytest.mark.parametrize("generator", ["searchable", "none"])
def test_a_training_that_draws_ahead_gives_the_same_to_the_bit(
    tmp_path: Path, generator: str
) -> None:
    feedback = Feedback(kinds={"blending": 1}) if generator == "searchable" else None
    usual, ahead = (
        weights_after(learner_of(tmp_path / name, ahead=on, generator=generator), feedback)
        for name, on in (("usual", False), ("ahead", True))
    )
    assert all(map(torch.equal, usual, ahead))


def test_a_checkpoint_knows_nothing_of_the_batch_in_the_background(tmp_path: Path) -> None:
    usual, ahead = (learner_of(tmp_path / str(on), ahead=on) for on in (False, True))
    for learner in (usual, ahead):
        learner.warm_up_step()
    assert torch.equal(usual.state()["random"], ahead.state()["random"])
    ahead.restore(usual.state())
    usual.final_step()
    ahead.final_step()
    pairs = zip(usual.problem.middle_parameters(), ahead.problem.middle_parameters())
    assert all(torch.equal(*pair) for pair in pairs)


def test_the_next_batch_is_drawn_in_the_background() -> None:
    rng, drawn_by = numbers(), []

    def draw() -> float:
        drawn_by.append(threading.current_thread().name)
        return float(rng.uniform(1))

    drawing = DrawingAhead(rng, is_on=True)
    first, second = drawing.take(draw), drawing.take(draw)
    drawing.forget()
    assert [first, second] == numbers().uniform(2).tolist()
    assert drawn_by[0] == "MainThread"
    assert all("drawing ahead" in name for name in drawn_by[1:])


def test_a_batch_that_is_not_wanted_gives_its_random_numbers_back() -> None:
    rng = numbers()
    drawing = DrawingAhead(rng, is_on=True)
    once: Callable[[], torch.Tensor] = lambda: rng.uniform(1)  # noqa: E731
    pair: Callable[[], torch.Tensor] = lambda: rng.uniform(2)  # noqa: E731
    drawn = [*drawing.take(once).tolist(), *drawing.take(pair).tolist()]
    assert drawn == numbers().uniform(3).tolist()


def test_a_fault_in_the_background_is_raised_where_its_batch_is_asked_for() -> None:
    left = iter([1])

    def draw() -> int:
        return next(left)

    drawing = DrawingAhead(numbers(), is_on=True)
    assert drawing.take(draw) == 1
    with pytest.raises(StopIteration):
        drawing.take(draw)
