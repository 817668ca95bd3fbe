"""Learners of small training runs on phantoms, with networks past their zero initialization."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from small_runs import phantom_cases, small_run
from torch import nn

from GenSegLib.multilevel import TrilevelProblem
from GenSegLib.networks.image_generator import ImageGenerator
from GenSegLib.training.learner import Learner
from GenSegLib.training.session import load_session


def small_learner(folder: Path, **changes: Any) -> Learner:
    """A learner whose generator does not only pass its source images through."""
    run = small_run(folder, phantom_cases(3), precision="fp32", **changes)
    found = load_session(run).learner
    problem = found.problem
    randomize_zero_weights(problem.generator, 0.05)
    found.set_segmenter_lr(1.0)
    return found


def smooth(network: nn.Module) -> None:
    """Replace ReLUs by smooth activations."""
    for name, child in network.named_children():
        if isinstance(child, (nn.ReLU, nn.LeakyReLU)):
            setattr(network, name, nn.SiLU())
        else:
            smooth(child)


def randomize_zero_weights(generator: ImageGenerator, spread: float) -> None:
    """Replace zero-initialized weights by random ones."""
    for weight in generator.weights().values():
        if weight.ndim > 1 and not weight.any():
            nn.init.normal_(weight, std=spread)


def trilevel(learner: Learner) -> TrilevelProblem:
    """The three losses of a learner on fresh batches."""
    return learner.trilevel(learner.sampler.trilevel_batch())
