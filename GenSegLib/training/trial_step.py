"""An optimizer step of a segmenter on made-up images, to be timed before a training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..computing.devices import choose_precision, to_device
from ..computing.memory_format import CHANNELS_LAST, to_memory_format
from ..config import TrainConfig
from ..networks import build_segmenter
from ..presets import Preset
from .builders import network_arguments, segmenter_optimizer
from .losses import segmentation_loss


def trial_step(
    preset: Preset,
    config: TrainConfig,
    classes: int,
    batch: Callable[[], tuple[Tensor, Tensor]],
    device: torch.device,
    memory_format: str = CHANNELS_LAST,
) -> Callable[[], None]:
    """Return a function that takes an optimizer step; the global random state stays as it is.

    Args:
        preset: patch size and arguments of the segmenter.
        config: segmenter, precision and learning rate.
        classes: number of classes, background included.
        batch: returns images (batch, channel, *patch) and labels (batch, 1, *patch) of a step.
        device: of the segmenter and of the batch.
        memory_format: of the segmenter and of the images.
    """
    arguments = network_arguments(config.network, preset, classes)
    with torch.random.fork_rng(devices=()):
        segmenter = build_segmenter(config.network, arguments)
    to_device(segmenter, device, memory_format)
    optimizer = segmenter_optimizer(config, segmenter)
    autocast = choose_precision(device, config.precision)

    def step() -> None:
        images, labels = batch()
        with autocast():
            logits = segmenter(to_memory_format(images, memory_format))
        segmentation_loss(logits, labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
