"""Validation of the averaged segmenter on whole cases, by the path of predictions.

Whole cases are segmented as `prediction` does it, at the training's spacing: in sliding windows,
localized at the coarse spacing first if the preset has one, and postprocessed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..augmentation.spatial import argmax_channel
from ..data.label_sets import LabelSets
from ..data.training_case import Box, TrainingCase
from ..images.geometry import full_box
from ..images.label_regions import mask_of
from ..nesting import region_values
from ..networks.slice_wise import as_window_network
from ..prediction.ensemble import EnsemblePredictor
from ..prediction.postprocessing import postprocess
from ..prediction.sliding_window import SlidingWindows, iterate_slabs, seen_windows
from .learner import Learner
from .pseudo_label_checks import CasePrediction

Classes = NDArray[np.uint8]


class CaseSegmenter:
    """Segments whole training cases with the averaged segmenter.

    Args:
        learner: of the training.
        values: label values for which the classes 1, 2, ... stand.
    """

    def __init__(self, learner: Learner, values: Sequence[int]) -> None:
        self._learner, self._preset = learner, learner.preset
        self._values = np.array([0, *values])
        self._regions = region_values(learner.sets.includes, learner.sets.names)
        network: nn.Module = as_window_network(learner.averaged_segmenter, learner.preset)
        self._predictor = EnsemblePredictor([network], learner.device, batch_size=1)
        self._done, self._seconds = 0, 0.0  # voxels of windows, and the time for them

    def __call__(self, case: TrainingCase) -> Classes:
        """Return the predicted classes (*shape) of a case."""
        return self.predict(case).classes

    def predict(self, case: TrainingCase, limit_s: float = math.inf) -> CasePrediction:
        """Return the predicted classes of a case, and how certain they are.

        Args:
            case: the case.
            limit_s: seconds; at the pace of earlier predictions, as much around the center is
                predicted as fits into them.
        """
        classes = np.zeros(case.shape, np.uint8)
        confidence = np.ones(classes.shape, np.float16)
        coarse = None if case.coarse is None else self._segment(case.coarse.image)[0]
        box = shown = self._locate(case, coarse, classes.shape)
        if box is not None:
            confidence[box] = 0
            shown = self._within(box, limit_s)
            classes[shown], confidence[shown] = self._segment(case.read_box(shown).image)
        return CasePrediction(classes, confidence, coarse, shown == box)

    def _within(self, box: Box, limit_s: float) -> Box:
        """Return the part around the center of a box that can be predicted within seconds.

        It has the size of a patch at least.
        """
        sizes = [part.stop - part.start for part in box]
        patch = (*self._preset.patch_size, 1)[: len(sizes)]
        while self._work(sizes) > limit_s * self._pace:
            ratios = [size / edge for size, edge in zip(sizes, patch)]
            axis = ratios.index(max(ratios))
            if ratios[axis] <= 1:
                break
            sizes[axis] = max(patch[axis], sizes[axis] - max(1, patch[axis] // 2))
        starts = [
            part.start + (part.stop - part.start - size) // 2 for part, size in zip(box, sizes)
        ]
        return tuple(slice(start, start + size) for start, size in zip(starts, sizes))

    def _work(self, shape: Sequence[int]) -> int:
        """Return the voxels of all windows over an image."""
        windows = SlidingWindows.for_preset(self._preset, shape)
        return windows.count * math.prod(windows.patch_size)

    @property
    def _pace(self) -> float:
        """Voxels of windows a second, in the predictions so far."""
        return self._done / self._seconds if self._seconds else math.inf

    def _locate(
        self, case: TrainingCase, predicted: Classes | None, shape: tuple[int, ...]
    ) -> Box | None:
        """Return the box of the organ, localized at the coarse spacing; None if there is none."""
        whole = full_box(shape)
        if case.coarse is None or predicted is None:
            return whole
        found = np.argwhere(predicted)
        if len(found) == 0:
            return whole if self._preset.full_image_fallback else None
        fine, coarse = np.array(case.spacing), np.array(case.coarse.spacing)
        margin = self._preset.coarse_margin_mm
        starts = np.floor((found.min(axis=0) * coarse - margin) / fine).astype(int)
        stops = np.ceil(((found.max(axis=0) + 1) * coarse + margin) / fine).astype(int)
        ends = zip(starts.tolist(), stops.tolist(), shape)
        return tuple(slice(max(0, start), min(stop, size)) for start, stop, size in ends)

    def _segment(self, image: torch.Tensor) -> tuple[Classes, NDArray[np.float16]]:
        """Return postprocessed classes and confidence (*shape) of an image (channel, *shape)."""
        start, windows = time.monotonic(), SlidingWindows.for_preset(self._preset, image.shape[1:])
        slabs, certain = [], []
        with self._learner.problem.autocast():
            self._predictor.prepare(partial(seen_windows, self._preset, image[None]))
            for _, _, part in iterate_slabs(self._predictor, image[None], windows):
                slabs.append(argmax_channel(part[None])[0, 0].byte().cpu().numpy())
                certain.append(part.amax(0).half().cpu().numpy())
        found = np.concatenate(slabs, axis=windows.along)
        confidence = np.concatenate(certain, axis=windows.along)
        values = self._values[1:].tolist()
        labels = postprocess(self._values[found], self._preset, values, self._regions)
        classes = np.searchsorted(self._values, labels).astype(np.uint8)
        confidence[classes != found] = 0
        self._done += self._work(image.shape[1:])
        self._seconds += time.monotonic() - start
        return classes, confidence


def class_dice_scores(predicted: Classes, label: Classes, sets: LabelSets) -> list[float]:
    """Return the Dice of each foreground class, classes within it included.

    Voxels that are ignored do not count. The Dice is NaN for a class that is in neither, or that
    nobody annotated.

    Args:
        predicted: (*shape) of classes.
        label: (*shape) of training labels.
        sets: meaning of the labels.
    """
    present = set(np.flatnonzero(np.bincount(label.ravel(), minlength=sets.values)).tolist())
    known = label != sets.classes
    scores = []
    for k in range(1, sets.classes):
        inside, uncertain = sets.region_values(k)
        if present.intersection(uncertain) - {sets.classes}:
            scores.append(math.nan)
            continue
        first, second = mask_of(predicted, sets.regions[k]) & known, mask_of(label, inside)
        size = int(first.sum()) + int(second.sum())
        scores.append(2 * int((first & second).sum()) / size if size else math.nan)
    return scores


def mean_dice(scores: Sequence[Sequence[float]]) -> float:
    """Return the mean over classes of the mean over cases, without NaN entries; NaN for none.

    Args:
        scores: of each case and class.
    """
    by_class = [[x for x in entries if not math.isnan(x)] for entries in zip(*scores)]
    means = [sum(entries) / len(entries) for entries in by_class if entries]
    return sum(means) / len(means) if means else math.nan
