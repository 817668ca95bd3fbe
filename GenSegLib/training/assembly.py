"""Assembles what a training optimizes: networks, their losses, and an optimizer for each level."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from ..augmentation.policy import Policy
from ..computing.devices import choose_precision, to_device
from ..config import TrainConfig
from ..errors import GenSegError
from ..multilevel import HYPERGRADIENTS, Engine, Level
from ..networks import build_segmenter, segmenter_args
from ..networks.discriminator import Discriminator
from ..networks.generators import build_generator
from ..networks.image_generator import Design
from ..networks.upper_variables import UpperVariables
from ..networks.window_trial import require_windows
from ..presets import Preset
from .problem import SegmentationProblem

_MOMENTA = (0.5, 0.99)


def build_problem(
    config: TrainConfig,
    preset: Preset,
    classes: int,
    arguments: dict[str, Any],
    policy: Policy,
    device: torch.device,
) -> SegmentationProblem:
    """Build the networks of a training, on the device, and the losses that tie them together.

    Args:
        config: the settings.
        preset: the anatomy's.
        classes: classes, background included.
        arguments: the segmenter's, see `segmenter_args`.
        policy: the augmentation, from which the upper-level variables start.
        device: where all of it computes.
    """
    dims, channels = preset.spatial_dims, preset.channels
    design = Design(
        classes,
        channels,
        dims,
        coordinates=preset.coordinates,
        bounded=preset.intensity.kind == "window",
        space=config.search_space,
    )
    # where none is asked for, one stands idle, so that all weights start alike
    generator = config.generator if config.has_generator else TrainConfig.generator
    problem = SegmentationProblem(
        build_segmenter(config.segmenter, arguments),
        build_generator(generator, design),
        Discriminator(classes, channels, dims),
        UpperVariables(policy),
        classes,
        config.adversary_weight,
        choose_precision(device, config.precision),
        difference=config.difference,
        adversary=config.adversary,
        frozen=config.frozen_variables,
        direct_path=config.direct_path,
        lower_path=config.lower_path,
    )
    for network in (problem.segmenter, problem.generator, problem.discriminator):
        to_device(network, device)
    problem.variables.to(device)
    return problem


def require_patches(segmenter: str, preset: Preset) -> None:
    """Make sure that a segmenter can do with the preset's patches.

    Raises:
        GenSegError: it cannot.
    """
    channels, size = preset.channels, preset.patch_size
    classes = 2  # any number will do
    arguments = segmenter_args(segmenter, channels, classes, preset.spatial_dims, size)
    try:
        require_windows(build_segmenter(segmenter, arguments), channels, classes, size)
    except GenSegError as fault:
        raise GenSegError(
            f"preset {preset.name!r} and segmenter {segmenter!r} do not fit: {fault}; make "
            "patch_size larger, or choose another segmenter"
        ) from fault


def build_levels(
    config: TrainConfig, problem: SegmentationProblem, *, has_held_back: bool
) -> tuple[Engine, Level]:
    """Return the engine of the three levels, and the adversary's own level.

    Without held-back cases there is no feedback to follow, nor where all that could follow it is
    frozen.
    """
    lower, middle = problem.lower_parameters(), problem.middle_parameters()
    upper, adversary = problem.upper_parameters(), list(problem.discriminator.parameters())
    # all weights in one pass, on a card in one launch; PyTorch 2.4 has none for Apple's
    fused = True if lower[0].device.type != "mps" else None
    adam = partial(torch.optim.Adam, lr=config.generator_rate, betas=_MOMENTA, fused=fused)
    segmenter_optimizer = torch.optim.AdamW(
        middle, config.segmenter_rate, weight_decay=1e-2, fused=fused
    )
    is_steered = has_held_back and bool(upper)
    engine = Engine(
        lower=Level(lower, adam(lower)),
        middle=Level(middle, segmenter_optimizer),
        upper=Level(upper, adam([{"params": upper}], lr=config.upper_rate)),  # or none at all
        hypergradient=HYPERGRADIENTS.get(config.hypergradient) if is_steered else None,
        upper_every=config.upper_every,
        looks_back=config.look_back and config.hypergradient == "finite-difference",
    )
    return engine, Level(adversary, adam(adversary))
