"""Prediction of a stack of 2-D images, such as a clip, frame by frame.

Each frame is normalized and postprocessed on its own, as in training, where frames are cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..images.volume import Volume, select_frame

if TYPE_CHECKING:
    from .predictor import Prediction

_MAPS = ("label", "probabilities", "uncertainty")


def predict_frames(predict: Callable[[Volume], Prediction], image: Volume) -> Prediction:
    """Predict each frame of a stack and return one prediction of all.

    The expected Dice is the mean over frames; warnings say how many frames they are about.

    Args:
        predict: predicts an image of one slice.
        image: the stack.
    """
    count = image.shape[2]
    found = [predict(select_frame(image, number)) for number in range(1, count + 1)]
    maps = {}
    for name in _MAPS:
        if getattr(found[0], name) is not None:
            array = np.concatenate([getattr(one, name).array for one in found], axis=3)
            maps[name] = replace(image, array=array, warnings=())
    warnings = Counter(warning for one in found for warning in one.warnings)
    expected = [one.expected_dice for one in found if one.expected_dice is not None]
    return replace(
        found[0],
        **maps,
        warnings=tuple(f"{text} (in {n} of {count} frames)" for text, n in warnings.items()),
        expected_dice={
            value: float(np.mean([each[value] for each in expected])) for value in expected[0]
        }
        if expected
        else None,
    )
