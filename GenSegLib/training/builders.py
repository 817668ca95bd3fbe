"""Construction of a training's networks, losses and optimizers from its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..augmentation.policy import AugmentationPolicy
from ..computing.devices import choose_precision, to_device
from ..config import TrainConfig
from ..errors import GenSegError
from ..multilevel import HYPERGRADIENTS, Engine, Hypergradient, Level
from ..networks import build_segmenter, segmenter_args
from ..networks.discriminator import Discriminator
from ..networks.generators import build_generator
from ..networks.image_generator import GeneratorConfig
from ..networks.pretrained import ENCODER, load_encoder
from ..networks.segmenters import check_patch_size
from ..presets import Preset
from .problem import SegmentationProblem
from .upper_variables import UpperVariables

_BETAS = (0.5, 0.99)
_WEIGHT_DECAY = 1e-2
_MAX_NORM = 12.0  # of the segmenter's gradients, as in nnU-Net


def build_policy(config: TrainConfig, preset: Preset) -> AugmentationPolicy:
    """Return the augmentation of a training."""
    policy = AugmentationPolicy.for_preset(preset)
    policy = policy.for_other_scanners() if config.target_scanner > 0 else policy
    policy = policy.geometric() if config.augmentation_transforms == "geometric" else policy
    return policy.scaled(config.augmentation_strength)


def build_problem(
    config: TrainConfig,
    preset: Preset,
    classes: int,
    segmenter_arguments: dict[str, Any],
    policy: AugmentationPolicy,
    device: torch.device,
) -> SegmentationProblem:
    """Build the networks of a training on a device, and the losses that connect them.

    Args:
        config: settings.
        preset: the task's preset.
        classes: number of classes, background included.
        segmenter_arguments: see `segmenter_args`.
        policy: augmentation, at whose strengths the upper-level variables start.
        device: of all networks.
    """
    dims, channels = preset.spatial_dims, preset.input_channels
    generator_config = GeneratorConfig(
        classes,
        channels,
        dims,
        bounded=preset.intensity.kind == "window",
        space=config.search_space,
    )
    # training runs without a generator build an unused one, so that the segmenter starts alike
    generator = config.generator if config.has_generator else TrainConfig.generator
    problem = SegmentationProblem(
        _build_segmenter(config, segmenter_arguments),
        build_generator(generator, generator_config),
        Discriminator(classes, channels, dims),
        UpperVariables(policy),
        classes,
        config.adversarial_weight,
        choose_precision(device, config.precision),
        reconstruction_loss=config.reconstruction_loss,
        adversarial_loss=config.adversarial_loss,
        adversarial_pairs=config.adversarial_pairs,
        mode_seeking_weight=config.mode_seeking_weight,
        hard_pair_weight=config.hard_pair_weight,
        batch_dice=preset.batch_dice,
        frozen=config.frozen_variables,
        direct_path=config.direct_path,
    )
    for network in (problem.segmenter, problem.generator, problem.discriminator):
        to_device(network, device)
    problem.variables.to(device)
    return problem


def _build_segmenter(config: TrainConfig, arguments: dict[str, Any]) -> nn.Module:
    segmenter = build_segmenter(config.network, arguments)
    if config.encoder == "pretrained":
        load_encoder(segmenter.get_submodule("encoder"))
    return segmenter


def network_arguments(network: str, preset: Preset, classes: int) -> dict[str, Any]:
    """Return the arguments of a network of the registry for a preset.

    Args:
        network: registry name, see `TrainConfig.network`.
        preset: the task's preset.
        classes: number of classes, background included.
    """
    dims, size = preset.spatial_dims, preset.patch_size
    arguments = segmenter_args(network, preset.input_channels, classes, dims, size)
    return arguments | preset.network


def require_compatible_patch_size(network: str, preset: Preset) -> None:
    """Check that a network of the registry accepts the preset's patch size.

    Raises:
        GenSegError: it does not.
    """
    classes = 2  # any number gives the same answer
    arguments = network_arguments(network, preset, classes)
    try:
        segmenter = build_segmenter(network, arguments)
        check_patch_size(segmenter, preset.input_channels, classes, preset.patch_size)
    except GenSegError as error:
        raise GenSegError(
            f"segmenter {network!r} does not accept the patch size of preset {preset.name!r}: "
            f"{error}; increase patch_size, or choose another segmenter"
        ) from error


def build_engine(
    config: TrainConfig, problem: SegmentationProblem, *, has_validation: bool
) -> tuple[Engine, Level]:
    """Return the engine of the three levels, and the discriminator's level.

    The upper level stays fixed without validation cases, or if all its variables are frozen.
    """
    lower, middle = problem.lower_parameters(), problem.middle_parameters()
    upper, discriminator = problem.upper_parameters(), list(problem.discriminator.parameters())
    adam = partial(torch.optim.Adam, lr=config.generator_lr, betas=_BETAS, fused=_fused(lower))
    is_steered = has_validation and bool(upper)
    engine = Engine(
        lower=Level(lower, adam(lower)),
        middle=Level(middle, segmenter_optimizer(config, problem.segmenter), _MAX_NORM),
        upper=Level(upper, adam([{"params": upper}], lr=config.upper_lr)),  # may be empty
        hypergradient=_hypergradient(config.hypergradient, problem) if is_steered else None,
        upper_interval=config.upper_interval,
    )
    return engine, Level(discriminator, adam(discriminator))


def segmenter_optimizer(config: TrainConfig, segmenter: nn.Module) -> torch.optim.AdamW:
    """Return the optimizer of a segmenter, with the groups of `segmenter_groups`."""
    groups, fused = segmenter_groups(config, segmenter), _fused(list(segmenter.parameters()))
    return torch.optim.AdamW(groups, config.segmenter_lr, weight_decay=_WEIGHT_DECAY, fused=fused)


def _fused(parameters: Sequence[Tensor]) -> bool | None:
    """Use one kernel for all weights; PyTorch 2.4 has none for MPS."""
    return True if parameters[0].device.type != "mps" else None


def segmenter_groups(config: TrainConfig, segmenter: nn.Module) -> list[dict[str, Any]]:
    """Return the parameter groups of the segmenter's optimizer, in the order of its parameters.

    A pretrained encoder has a lower learning rate; `lr_factor` of a group is relative to that of
    the settings.
    """
    parameters = dict(segmenter.named_parameters())
    if config.encoder != "pretrained":
        return [{"params": list(parameters.values()), "lr_factor": 1.0}]
    encoder = [p for name, p in parameters.items() if name.startswith(ENCODER)]
    others = [p for name, p in parameters.items() if not name.startswith(ENCODER)]
    factor = config.encoder_lr_factor
    return [
        {"params": encoder, "lr_factor": factor, "lr": factor * config.segmenter_lr},
        {"params": others, "lr_factor": 1.0},
    ]


def _hypergradient(name: str, problem: SegmentationProblem) -> Hypergradient | None:
    method = HYPERGRADIENTS.get(name)
    return method and problem.fixed_statistics()(method)


def build_average(network: nn.Module, decay: float, *, use_buffers: bool) -> AveragedModel:
    """Return an exponential moving average of a network, in evaluation mode.

    Args:
        network: averaged network.
        decay: weight of the old average in each update, after a warm-up in which it is smaller.
        use_buffers: average the buffers (batch normalization statistics) too.
    """
    average = AveragedModel(network, multi_avg_fn=_ema_with_warmup(decay), use_buffers=use_buffers)
    average.requires_grad_(False).eval()
    return average


def _ema_with_warmup(decay: float) -> Callable[..., None]:
    def update(averaged: Any, current: Any, updates: torch.Tensor) -> None:
        steps = int(updates) + 1
        get_ema_multi_avg_fn(min(decay, steps / (steps + 9)))(averaged, current, updates)

    return update
