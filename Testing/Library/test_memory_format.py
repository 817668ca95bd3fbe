"""Either memory format holds the same images and gives the same training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_runs import small_run

from GenSegLib.computing.memory_format import CHANNELS_FIRST, CHANNELS_LAST, to_memory_format
from GenSegLib.training.session import load_session

pytestmark = pytest.mark.usefixtures("few_channels")


@pytest.mark.parametrize(("dims", "last"), [(2, torch.channels_last), (3, torch.channels_last_3d)])
def test_images_are_converted_to_either_format(dims: int, last: torch.memory_format) -> None:
    images = torch.randn(2, 3, *[4] * dims)
    converted = to_memory_format(images)
    restored = to_memory_format(converted, CHANNELS_FIRST)
    assert converted.is_contiguous(memory_format=last)
    assert restored.is_contiguous()
    assert torch.equal(images, converted) and torch.equal(images, restored)


def test_tensors_without_spatial_axes_are_unchanged() -> None:
    bias = torch.randn(4)
    assert to_memory_format(bias, CHANNELS_LAST) is bias


@pytest.mark.parametrize("segmenter", ["dynunet", "segresnet"])
def test_losses_do_not_depend_on_the_format(tmp_path: Path, segmenter: str) -> None:
    losses = []
    for each in (CHANNELS_LAST, CHANNELS_FIRST):
        run = small_run(tmp_path / each, segmenter=segmenter, precision="fp32")
        learner = load_session(run).learner
        learner.set_memory_format(each)
        losses.append([learner.joint_step(step)["segmenter_loss"] for step in range(3)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
