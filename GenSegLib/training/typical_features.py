"""What a dual network must know of the labeled images to choose its normalization parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from torch import nn

from ..data.training_case import TrainingCase
from ..networks.dual_normalization import MIN_CASES, dual_part, early_features
from ..networks.slice_wise import as_window_network
from ..prediction.sliding_window import SEEN_WINDOWS, SlidingWindows, seen_windows
from .learner import Learner

_MAX_CASES = 16
_MAX_VOXELS = 5e7  # of all windows: some seconds with a 2-D network, half a minute with a 3-D one


def set_typical_features(learner: Learner) -> None:
    """Tell the averaged segmenter how the features of the labeled images are distributed.

    Does nothing to networks with one set of normalization parameters, nor where organs are
    localized at a coarse spacing first, since images of both spacings have different features.
    """
    dual = dual_part(learner.averaged_segmenter)
    if dual is None or learner.preset.coarse_spacing is not None:
        return
    network = as_window_network(learner.averaged_segmenter, learner.preset)
    with learner.problem.autocast():
        cases = (seen_windows(learner.preset, case.image[None]) for case in _some_cases(learner))
        dual.set_typical([early_features(network, dual, windows) for windows in cases])


@contextmanager
def typical_features(learner: Learner) -> Iterator[None]:
    """Let the averaged segmenter know the typical features within the context.

    Training changes what they are, so that nothing is known afterwards.
    """
    set_typical_features(learner)
    try:
        yield
    finally:
        forget_typical_features(learner.averaged_segmenter)


def forget_typical_features(network: nn.Module) -> None:
    """Let a network whose training goes on know nothing of typical features."""
    dual = dual_part(network)
    if dual is not None:
        dual.set_typical([])


def _some_cases(learner: Learner) -> list[TrainingCase]:
    """Return evenly spaced labeled cases, as many as the time allows; none of too few."""
    cases, preset = learner.cases, learner.preset
    if len(cases) < MIN_CASES:
        return []
    window = math.prod(SlidingWindows.for_preset(preset, cases[0].shape).patch_size)
    count = min(_MAX_CASES, max(MIN_CASES, int(_MAX_VOXELS / (SEEN_WINDOWS * window))), len(cases))
    return [cases[round(index)] for index in np.linspace(0, len(cases) - 1, count)]
