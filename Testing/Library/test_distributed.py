"""Two processes with half of a batch each find what one process finds with all of it."""

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
from GenSegLib.multilevel import Trilevel, finite_difference, neumann, unroll
from GenSegLib.multilevel.levels import Tensors
from GenSegLib.training.losses import dice_losses
from Testing.level_gradients import lower, middle, upper
from Testing.several_processes import in_processes

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the processes")

BATCH, PROCESSES = 4, 2
ROUNDING = 1e-9  # of double precision, after the subtractions of finite differences


def network(*channels: int) -> torch.nn.Module:
    first, inner, last = channels
    return torch.nn.Sequential(
        torch.nn.Conv2d(first, inner, 3, padding=1),
        torch.nn.Tanh(),
        torch.nn.Conv2d(inner, last, 3, padding=1),
    ).double()


def problem(share: slice) -> Trilevel:
    """A generator and a segmenter with Dice over the batch, on a share of the same samples."""
    torch.manual_seed(0)
    generator, segmenter = network(2, 4, 1), network(1, 4, 2)
    masks = torch.rand(BATCH, 2, 8, 8, dtype=torch.double).round()[share]
    real, held_back = torch.rand(2, BATCH, 1, 8, 8, dtype=torch.double)[:, share]
    mixing = torch.randn(3, dtype=torch.double).requires_grad_()

    def applied(network: torch.nn.Module, weights: Tensors, images: torch.Tensor) -> torch.Tensor:
        names = [name for name, _ in network.named_parameters()]
        named = dict(zip(names, distributed.in_common(weights)))
        found: torch.Tensor = functional_call(network, named, (images,))
        return found

    def draw(w: Tensors, a: Tensors) -> torch.Tensor:
        mix = torch.softmax(distributed.in_common(a)[0], dim=0)[:2]
        return applied(generator, w, masks * mix.reshape(1, 2, 1, 1))

    def segment(s: Tensors, images: torch.Tensor) -> torch.Tensor:
        logits = applied(segmenter, s, images)
        [dice] = dice_losses([torch.softmax(logits, 1)], masks)
        return dice + F.cross_entropy(logits, masks)

    return Trilevel(
        lower=list(generator.parameters()),
        middle=list(segmenter.parameters()),
        upper=[mixing],
        lower_loss=lambda w, a: ((draw(w, a) - real) ** 2).mean(),
        bridge=lambda w, a: [draw(w, a), torch.exp(distributed.in_common(a)[0][2])],
        middle_loss=lambda s, x: segment(s, real) + x[1] * segment(s, x[0]),
        upper_loss=lambda s, a: segment(s, held_back),
        lower_rate=0.5,
        middle_rate=0.5,
    )


def of_a_share(rank: int, find: Callable[[Trilevel], list[torch.Tensor]]) -> list[torch.Tensor]:
    size = distributed.share_of(BATCH, "batch_size")
    return find(problem(slice(rank * size, (rank + 1) * size)))


@pytest.mark.parametrize(
    "find", [lower, middle, upper, finite_difference, partial(unroll, steps=2), neumann],
    ids=["lower", "middle", "upper", "finite differences", "unrolling", "Neumann series"],
)  # fmt: skip
def test_gradients_are_those_of_the_whole_batch(
    find: Callable[[Trilevel], list[torch.Tensor]], tmp_path: Path
) -> None:
    whole = find(problem(slice(None)))
    for found in in_processes(PROCESSES, partial(of_a_share, find=find), tmp_path):
        torch.testing.assert_close(found, whole, rtol=ROUNDING, atol=ROUNDING)


def decisions(rank: int) -> dict[str, object]:
    return {
        "leads": distributed.leads(),
        "agreed": distributed.agreed(["of the leader", "of the other"][rank]),
        "averaged": distributed.averaged(
            {"loss": [1.0, 2.0][rank], "bad": [0.0, float("nan")][rank]}
        ),
    }


def test_all_decide_as_the_leader_does(tmp_path: Path) -> None:
    leader, other = in_processes(PROCESSES, decisions, tmp_path)
    assert (leader["leads"], other["leads"]) == (True, False)
    assert leader["agreed"] == other["agreed"] == "of the leader"


def test_a_loss_that_is_no_number_anywhere_is_none_for_all(tmp_path: Path) -> None:
    for found in in_processes(PROCESSES, decisions, tmp_path):
        assert found["averaged"]["loss"] == 1.5
        assert found["averaged"]["bad"] != found["averaged"]["bad"]


def shared_unevenly(rank: int) -> str:
    with pytest.raises(GenSegError) as fault:
        distributed.share_of(3, "batch_size")
    return str(fault.value)


def test_a_batch_that_cannot_be_shared_is_refused_with_one_that_can(tmp_path: Path) -> None:
    for text in in_processes(PROCESSES, shared_unevenly, tmp_path):
        assert "batch of 3" in text and "--set batch_size=4" in text


def test_one_process_alone_is_left_as_it_is() -> None:
    weight = torch.ones(2, requires_grad=True)
    assert distributed.in_common([weight])[0] is weight
    assert distributed.summed(weight) is weight
    assert distributed.share_of(3, "batch_size") == 3
    assert distributed.averaged({"loss": 1.0}) == {"loss": 1.0}
    assert distributed.leads()
