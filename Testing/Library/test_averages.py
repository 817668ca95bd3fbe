"""Moving averages of the networks, which predict and are saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small_learners import small_learner

from GenSegLib.errors import GenSegError
from GenSegLib.training.builders import build_average
from GenSegLib.training.checkpoints import Checkpoint, TrainingState
from GenSegLib.training.learner import Learner

pytestmark = pytest.mark.usefixtures("few_channels")


def norm_and_average(values: list[float], *, use_buffers: bool) -> list[torch.Tensor]:
    """The averaged weight and running mean after updates by these values of both."""
    network = torch.nn.BatchNorm1d(1)
    average = build_average(network, 0.9, use_buffers=use_buffers)
    for value in values:
        with torch.no_grad():
            network.weight.fill_(value)
            network.running_mean.fill_(value)
        average.update_parameters(network)
    assert not average.module.training
    return [average.module.weight, average.module.running_mean]


def test_batch_norm_statistics_are_averaged_like_weights() -> None:
    weight, mean = norm_and_average([1.0, 3.0, 2.0], use_buffers=True)
    assert weight.item() == pytest.approx(mean.item())
    assert 1.0 < mean.item() < 3.0 and mean.item() != 2.0


def test_the_average_follows_quickly_at_first() -> None:
    weight, _ = norm_and_average([0.0, 1.0], use_buffers=True)
    assert weight.item() > 0.5


def test_a_segmenter_with_batch_norm_is_evaluated_with_averaged_statistics(tmp_path: Path) -> None:
    learner = small_learner(tmp_path / "run", segmenter="attention-unet", generator="none")
    for step in range(3):
        learner.joint_step(step)
    own = dict(learner.problem.segmenter.named_buffers())
    averaged = dict(learner.averaged_segmenter.named_buffers())
    means = [name for name in own if name.endswith("running_mean")]
    assert means
    assert not any(torch.equal(own[name], averaged[name]) for name in means)


def weights_and_average(learner: Learner) -> list[torch.Tensor]:
    segmenter = list(learner.averaged_segmenter.parameters())
    return [tensor.clone() for tensor in [*segmenter, *learner.averaged_generator_weights]]


def test_averages_of_older_checkpoints_are_read(tmp_path: Path) -> None:
    learner, other = (small_learner(tmp_path / name) for name in ("run", "other"))
    learner.joint_step(0)
    state = learner.state_dict()
    lists = (list(learner.averaged_segmenter.parameters()), learner.averaged_generator_weights)
    state["averages"] = [
        {"tensors": [tensor.detach().clone() for tensor in tensors], "steps": 7}
        for tensors in lists
    ]
    other.load_state_dict(state)
    assert all(map(torch.equal, weights_and_average(learner), weights_and_average(other)))
    assert int(other.segmenter_average.n_averaged) == 7


def with_another_generator(learner: Learner) -> dict[str, Any]:
    """The state of a training whose generator is that of an earlier version."""
    state = learner.state_dict()
    state["generator"] = {"stem.0.weight": torch.zeros(4, 5, 3, 3, 3)}
    lower = state["optimizers"][0]
    lower["param_groups"] = [{**group, "params": [0]} for group in lower["param_groups"]]
    state["averages"][1] = {"n_averaged": torch.tensor(3)}
    return state


def test_checkpoints_with_another_generator_are_refused_unless_it_does_not_train(
    tmp_path: Path,
) -> None:
    for generator in ("none", "regions", "searchable"):
        learner, other = (
            small_learner(tmp_path / f"{generator}-{k}", generator=generator) for k in range(2)
        )
        learner.joint_step(0)
        checkpoint = Checkpoint(tmp_path, TrainingState(), with_another_generator(learner))
        if generator == "searchable":
            with pytest.raises(GenSegError, match="does not belong to this training; train again"):
                checkpoint.restore(other)
            continue
        checkpoint.restore(other)
        segmenters = learner.problem.segmenter, other.problem.segmenter
        assert all(map(torch.equal, *(network.parameters() for network in segmenters)))
