"""What a dual network must know of the labeled images to choose its normalization parameters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from ..data.training_case import TrainingCase
from ..networks.dual_normalization import dual_part, early_features
from ..networks.slice_wise import as_window_network
from ..prediction.sliding_window import SEEN_WINDOWS, SlidingWindows
from ..presets import Preset
from .learner import Learner

_MAX_CASES = 16  # more tell little, and take time


def set_typical_features(learner: Learner) -> None:
    """Tell the averaged segmenter how the features of the labeled images are distributed.

    Does nothing to networks with one set of normalization parameters, nor where organs are
    localized at a coarse spacing first, since images of both spacings have different features.
    """
    dual = dual_part(learner.averaged_segmenter)
    if dual is None or learner.preset.coarse_spacing is not None:
        return
    cases = learner.cases
    places = np.linspace(0, len(cases) - 1, min(_MAX_CASES, len(cases))).round().astype(int)
    network = as_window_network(learner.averaged_segmenter, learner.preset)
    with learner.problem.autocast():
        dual.set_typical(
            [
                early_features(network, dual, _windows(cases[place], learner.preset))
                for place in places
            ]
        )


def _windows(case: TrainingCase, preset: Preset) -> Iterator[torch.Tensor]:
    windows = SlidingWindows.for_preset(preset, case.shape)
    padded = windows.pad(case.image[None])
    for box in windows.spread(SEEN_WINDOWS):
        yield windows.cut(padded, box)
