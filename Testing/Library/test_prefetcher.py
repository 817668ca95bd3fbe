"""Prefetched batches are those that would be sampled without prefetching."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_learners import small_learner

from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.feedback import Feedback
from GenSegLib.training.learner import Learner
from GenSegLib.training.prefetcher import Prefetcher

pytestmark = pytest.mark.usefixtures("few_channels")


def learner_of(folder: Path, *, prefetch: bool, **changes: object) -> Learner:
    torch.manual_seed(0)
    learner = small_learner(folder, **changes)
    learner.prefetcher = Prefetcher(learner.rng, enabled=prefetch)
    return learner


def weights_after(learner: Learner, feedback: Feedback | None = None) -> list[torch.Tensor]:
    """The segmenter's weights after steps of all phases, with feedback in between."""
    if learner.config.has_generator:
        learner.warmup_step()
    learner.joint_step(0)
    if feedback:
        learner.apply_feedback(feedback)
    learner.joint_step(1)
    learner.final_step()
    learner.final_step()
    return [weight.detach().clone() for weight in learner.problem.middle_parameters()]


@pytest.mark.parametrize("generator", ["searchable", "none"])
def test_prefetching_does_not_change_a_training_bit_by_bit(tmp_path: Path, generator: str) -> None:
    feedback = Feedback(kinds={"blending": 1}) if generator == "searchable" else None
    without, with_prefetching = (
        weights_after(learner_of(tmp_path / str(on), prefetch=on, generator=generator), feedback)
        for on in (False, True)
    )
    assert all(map(torch.equal, without, with_prefetching))


def test_checkpoints_do_not_depend_on_the_batch_in_the_background(tmp_path: Path) -> None:
    without, prefetching = (learner_of(tmp_path / str(on), prefetch=on) for on in (False, True))
    for learner in (without, prefetching):
        learner.warmup_step()
    assert torch.equal(without.state_dict()["random"], prefetching.state_dict()["random"])
    prefetching.load_state_dict(without.state_dict())
    for learner in (without, prefetching):
        learner.final_step()
    parameters = (learner.problem.middle_parameters() for learner in (without, prefetching))
    assert all(map(torch.equal, *parameters))


def test_the_next_batch_is_sampled_in_the_background() -> None:
    rng, threads = RandomGenerator(0), []

    def sample() -> float:
        threads.append(threading.current_thread().name)
        return float(rng.uniform(1))

    prefetcher = Prefetcher(rng, enabled=True)
    first, second = prefetcher.next(sample), prefetcher.next(sample)
    prefetcher.discard()
    assert [first, second] == RandomGenerator(0).uniform(2).tolist()
    assert all("prefetch" in name for name in threads)


def test_without_prefetching_batches_are_sampled_on_request() -> None:
    requested: list[str] = []
    prefetcher = Prefetcher(RandomGenerator(0), enabled=False)
    prefetcher.next(lambda: requested.append(threading.current_thread().name))
    assert requested == [threading.current_thread().name]


def test_the_background_uses_one_core_and_leaves_the_others_to_the_step() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert Prefetcher(RandomGenerator(0), enabled=True).next(torch.get_num_threads) == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_discarded_batch_restores_the_random_generator() -> None:
    rng = RandomGenerator(0)
    prefetcher = Prefetcher(rng, enabled=True)
    one: Callable[[], torch.Tensor] = lambda: rng.uniform(1)  # noqa: E731
    two: Callable[[], torch.Tensor] = lambda: rng.uniform(2)  # noqa: E731
    values = [*prefetcher.next(one).tolist(), *prefetcher.next(two).tolist()]
    assert values == RandomGenerator(0).uniform(3).tolist()


def test_an_exception_in_the_background_is_raised_with_its_batch() -> None:
    remaining = iter([1])
    sample: Callable[[], int] = lambda: next(remaining)  # noqa: E731
    prefetcher = Prefetcher(RandomGenerator(0), enabled=True)
    assert prefetcher.next(sample) == 1
    with pytest.raises(StopIteration):
        prefetcher.next(sample)
