"""Two processes with half of a batch each compute the gradients of the whole batch."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from multilevel_problems import level_gradients, tiny_networks

from GenSegLib.computing import distributed
from GenSegLib.errors import GenSegError
from GenSegLib.multilevel import TrilevelProblem, finite_difference, neumann, unroll
from Testing.several_processes import in_processes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the processes")

BATCH, PROCESSES = 4, 2
ROUNDING = 1e-9  # of double precision, after the subtractions of finite differences

Gradients = Callable[[TrilevelProblem], list[torch.Tensor]]


def on_own_part(rank: int, gradients: Gradients) -> list[torch.Tensor]:
    size = distributed.local_batch_size(BATCH, "batch_size")
    return gradients(tiny_networks(0, slice(rank * size, (rank + 1) * size)))


@pytest.mark.parametrize(
    "gradients", [level_gradients, finite_difference, partial(unroll, steps=2), neumann],
    ids=["levels", "finite differences", "unrolling", "Neumann series"],
)  # fmt: skip
def test_gradients_are_those_of_the_whole_batch(gradients: Gradients, tmp_path: Path) -> None:
    expected = gradients(tiny_networks(0))
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
