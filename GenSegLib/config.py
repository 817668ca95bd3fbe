"""What is asked of a training: typed, validated, JSON both ways, every default in one place."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from .errors import GenSegError

SEGMENTERS = ("unet", "dynunet", "segresnet", "attention-unet", "unetr", "swin-unetr", "deeplab")
GENERATORS = ("searchable", "none")
HYPERGRADIENTS = ("finite-difference", "unroll", "neumann", "none")
PRECISIONS = ("auto", "bf16", "fp32")


@dataclass(frozen=True)
class TrainConfig:
    """The settings of one training; times in seconds, sizes in voxels, rates per step.

    Raises:
        GenSegError: a value is outside its range; the message names the setting.
    """

    segmenter: str = "unet"
    generator: str = "searchable"
    hypergradient: str = "finite-difference"
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    warmup_steps: int = 300
    joint_steps: int = 900
    final_steps: int = 1800
    batch_size: int = 2
    generated_batch_size: int = 2
    upper_every: int = 4
    segmenter_rate: float = 2e-3
    generator_rate: float = 1e-3
    upper_rate: float = 1e-2
    validation_share: float = 0.3
    validate_every: int = 100
    patience: int = 0
    ema_decay: float = 0.995
    reduce_cells: bool = True
    time_budget_s: float | None = None
    checkpoint_every_s: float = 60.0
