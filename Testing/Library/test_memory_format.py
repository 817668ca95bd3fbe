"""Either memory format holds the same images and weights; the faster one is found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_runs import small_run

from GenSegLib.computing.memory_format import (
    CHANNELS_FIRST,
    CHANNELS_LAST,
    fitting_format,
    laid_out,
)
from GenSegLib.training.session import load_session

LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


@pytest.mark.parametrize("dims", [2, 3])
def test_images_are_laid_out_either_way_and_stay_the_same(dims: int) -> None:
    images = torch.randn(2, 3, *[4] * dims)
    last = laid_out(images)
    first = laid_out(last, CHANNELS_FIRST)
    assert last.is_contiguous(memory_format=LAST[dims])
    assert first.is_contiguous()
    assert torch.equal(images, last) and torch.equal(images, first)


def test_what_has_no_space_has_one_format() -> None:
    bias = torch.randn(4)
    assert laid_out(bias, CHANNELS_LAST) is bias


@pytest.mark.parametrize(
    ("last_s", "first_s", "chosen"),
    [(1.0, 0.5, CHANNELS_FIRST), (1.0, 0.9, CHANNELS_LAST), (0.5, 1.0, CHANNELS_LAST)],
)
def test_channels_come_first_where_that_is_clearly_faster(
    last_s: float, first_s: float, chosen: str
) -> None:
    seconds = {CHANNELS_LAST: last_s, CHANNELS_FIRST: first_s}
    found, gain = fitting_format(seconds.__getitem__)
    assert found == chosen
    assert gain == pytest.approx(last_s / seconds[chosen])


@pytest.mark.parametrize("segmenter", ["dynunet", "segresnet"])
def test_a_learner_learns_the_same_either_way(tmp_path: Path, segmenter: str) -> None:
    losses = []
    for each in (CHANNELS_LAST, CHANNELS_FIRST):
        run = small_run(tmp_path / each, segmenter=segmenter, precision="fp32")
        learner = load_session(run).learner
        learner.lay_out(each)
        losses.append([learner.joint_step(step)["segmenter_loss"] for step in range(3)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
