"""Two processes with half of a batch each compute the gradients of the whole batch."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from GenSegLib.computing import distributed
from GenSegLib.errors import GenSegError
from GenSegLib.multilevel import TrilevelProblem, finite_difference, neumann, unroll
from GenSegLib.multilevel.vectors import Tensors
from GenSegLib.training.losses import dice_losses
from Testing.level_gradients import lower, middle, upper
from Testing.several_processes import in_processes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the processes")

BATCH, PROCESSES = 4, 2
ROUNDING = 1e-9  # of double precision, after the subtractions of finite differences

Gradients = Callable[[TrilevelProblem], list[torch.Tensor]]


def network(*channels: int) -> torch.nn.Module:
    first, inner, last = channels
    return torch.nn.Sequential(
        torch.nn.Conv2d(first, inner, 3, padding=1),
        torch.nn.Tanh(),
        torch.nn.Conv2d(inner, last, 3, padding=1),
    ).double()


def problem(part: slice) -> TrilevelProblem:
    """A generator and a segmenter with batch Dice, on a part of the same samples."""
    torch.manual_seed(0)
    generator, segmenter = network(2, 4, 1), network(1, 4, 2)
    masks = torch.rand(BATCH, 2, 8, 8, dtype=torch.double).round()[part]
    real, validation = torch.rand(2, BATCH, 1, 8, 8, dtype=torch.double)[:, part]
    mixing = torch.randn(3, dtype=torch.double).requires_grad_()

    def forward(network: torch.nn.Module, weights: Tensors, images: torch.Tensor) -> torch.Tensor:
        names = [name for name, _ in network.named_parameters()]
        parameters = dict(zip(names, distributed.average_gradients(weights)))
        found: torch.Tensor = functional_call(network, parameters, (images,))
        return found

    def generate(w: Tensors, a: Tensors) -> torch.Tensor:
        mix = torch.softmax(distributed.average_gradients(a)[0], dim=0)[:2]
        return forward(generator, w, masks * mix.reshape(1, 2, 1, 1))

    def loss(s: Tensors, images: torch.Tensor) -> torch.Tensor:
        logits = forward(segmenter, s, images)
        [dice] = dice_losses([torch.softmax(logits, 1)], masks)
        return dice + F.cross_entropy(logits, masks)

    return TrilevelProblem(
        lower=list(generator.parameters()),
        middle=list(segmenter.parameters()),
        upper=[mixing],
        lower_loss=lambda w, a: ((generate(w, a) - real) ** 2).mean(),
        generate=lambda w, a: [
            generate(w, a),
            torch.exp(distributed.average_gradients(a)[0][2]),
        ],
        middle_loss=lambda s, x: loss(s, real) + x[1] * loss(s, x[0]),
        upper_loss=lambda s, a: loss(s, validation),
        lower_step_size=0.5,
        middle_step_size=0.5,
    )


def on_own_part(rank: int, gradients: Gradients) -> list[torch.Tensor]:
    size = distributed.local_batch_size(BATCH, "batch_size")
    return gradients(problem(slice(rank * size, (rank + 1) * size)))


@pytest.mark.parametrize(
    "gradients", [lower, middle, upper, finite_difference, partial(unroll, steps=2), neumann],
    ids=["lower", "middle", "upper", "finite differences", "unrolling", "Neumann series"],
)  # fmt: skip
def test_gradients_are_those_of_the_whole_batch(gradients: Gradients, tmp_path: Path) -> None:
    expected = gradients(problem(slice(None)))
    for found in in_processes(PROCESSES, partial(on_own_part, gradients=gradients), tmp_path):
        torch.testing.assert_close(found, expected, rtol=ROUNDING, atol=ROUNDING)


def collectives(rank: int) -> dict[str, object]:
    with pytest.raises(GenSegError) as error:
        distributed.local_batch_size(3, "batch_size")
    losses = {"loss": [1.0, 2.0][rank], "diverged": [0.0, float("nan")][rank]}
    return {
        "is_main": distributed.is_main_process(),
        "broadcast": distributed.broadcast(["of the main process", "of the other"][rank]),
        "mean": distributed.global_mean(losses),
        "error": str(error.value),
    }


def test_processes_take_the_same_decisions(tmp_path: Path) -> None:
    results = in_processes(PROCESSES, collectives, tmp_path)
    assert [result["is_main"] for result in results] == [True, False]
    for result in results:
        assert result["broadcast"] == "of the main process"
        assert result["mean"]["loss"] == 1.5
        assert result["mean"]["diverged"] != result["mean"]["diverged"]
        assert "batch of 3" in result["error"] and "--set batch_size=4" in result["error"]


def test_a_single_process_does_not_communicate() -> None:
    weight = torch.ones(2, requires_grad=True)
    assert distributed.average_gradients([weight])[0] is weight
    assert distributed.global_sum(weight) is weight
    assert distributed.local_batch_size(3, "batch_size") == 3
    assert distributed.global_mean({"loss": 1.0}) == {"loss": 1.0}
    assert distributed.is_main_process()
