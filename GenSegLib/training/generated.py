"""Generated pairs to look at, each with the cases and the one change that it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..augmentation.randomness import Randomness
from ..augmentation.spatial import STILL
from .learner import Learner


@dataclass(frozen=True)
class GeneratedPair:
    """A generated image (channel, *shape) with its label (*shape).

    Attributes:
        cases: the two cases that it lies between.
        kind: the one change that it shows beside the blending.
    """

    image: torch.Tensor
    label: torch.Tensor
    cases: tuple[str, str]
    kind: str


def kinds_of(learner: Learner) -> tuple[str, ...]:
    """Return the kinds of change that generated pairs of a training come with."""
    return ("blending", "deformation", *learner.problem.variables.changes)


@torch.no_grad()
def draw_pairs(learner: Learner, kinds: Sequence[str], seed: int) -> list[GeneratedPair]:
    """Draw a generated pair for each kind, without touching the training's random numbers."""
    rng = Randomness(torch.Generator().manual_seed(seed), learner.device)
    return [_draw(learner, kind, rng, seed + place) for place, kind in enumerate(kinds)]


def _draw(learner: Learner, kind: str, rng: Randomness, seed: int) -> GeneratedPair:
    problem, sampling = learner.problem, learner.sampling
    spatial = sampling.spatial if kind == "deformation" else STILL
    share = 1.0 if sampling.blended_share > 0 else 0.0  # a preview shows what there is
    blend = sampling.all_morphs.blends(rng, 1, spatial, share)
    upper = [tensor.detach() for tensor in problem.upper_parameters()]
    drawn = problem.draw(blend, learner.shown.tensors, upper, seed)
    image = problem.variables.mixed(blend.source, drawn)
    if kind in problem.variables.changes:
        image = problem.variables.changed(image, kind, rng)
    first, second = (sampling.names[place] for place in blend.between[0])
    return GeneratedPair(image[0], blend.labels[0, 0], (first, second), kind)
