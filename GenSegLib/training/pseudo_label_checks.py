"""Which unlabeled cases the averaged segmenter labels well enough to learn from them.

It is compared with itself: with what the same segmenter predicts on labeled cases at that moment.
A model that has just begun to learn is uncertain about every case, and one that is certain may be
so on another part of the body as well, where its structures have other sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ..data.label_sets import LabelSets
from ..data.training_case import TrainingCase
from ..data.volume_ranges import Volumes, plausible_range
from .volumes import region_sizes, volume_ranges

MAX_UNCERTAINTY = 0.3  # of labeled cases, for a model that judges others
# Of a case to the largest of labeled cases: 1.0 to 1.1 on other hippocampi and hearts alike,
# 1.3 to 1.8 on other parts of the body.
_RATIO = 1.25
_CERTAIN = 0.12  # enough, however certain the model is about labeled cases
_OTHER_SCANNER = 1.5  # factor on all limits for images of other scanners, which are labeled worse

UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class CasePrediction:
    """What the averaged segmenter predicts on a case.

    Attributes:
        classes: (*shape) uint8.
        confidence: probability (*shape) of the most probable class; 0 where postprocessing has
            changed it, or nothing was predicted.
        coarse: classes at the preset's coarse spacing, if it has one.
        is_whole: all of the case was predicted that may show a structure.
    """

    classes: NDArray[np.uint8]
    confidence: NDArray[np.float16]
    coarse: NDArray[np.uint8] | None = None
    is_whole: bool = True

    @property
    def uncertainty(self) -> float:
        """1 minus the mean confidence within the predicted foreground; 1 if there is none."""
        found = self.classes > 0
        return 1 - float(self.confidence[found].mean(dtype=float)) if found.any() else 1.0


@dataclass(frozen=True)
class Reference:
    """What labeled cases show, and the segmenter predicts on some of them.

    Attributes:
        uncertainty: median uncertainty of these predictions.
        largest: the largest one.
        ranges: smallest and largest size of each label value, in labels and predictions.
        sets: meaning of the labels; None if sizes are not to be checked.
        tolerance: factor on the limits of uncertainty and sizes.
    """

    uncertainty: float = 0.0
    largest: float = 0.0
    ranges: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    sets: LabelSets | None = None
    tolerance: float = 1.0

    @classmethod
    def of(
        cls,
        labeled: Iterable[TrainingCase],
        predicted: Sequence[tuple[TrainingCase, CasePrediction]],
        sets: LabelSets,
        *,
        is_other_scanner: bool,
    ) -> Reference:
        """Return the reference that labeled cases, and predictions on some of them, give.

        Args:
            labeled: labeled cases.
            predicted: some of them with their predictions.
            sets: meaning of the labels.
            is_other_scanner: the unlabeled cases may be of other scanners.
        """
        sizes = [region_sizes(case, case.voxel_counts(), sets) for case in labeled]
        sizes += [_predicted_sizes(case, found, sets) for case, found in predicted]
        ranges = volume_ranges({str(k): each for k, each in enumerate(sizes)})
        found = [prediction.uncertainty for _, prediction in predicted]
        tolerance = _OTHER_SCANNER if is_other_scanner else 1.0
        return cls(median(found), max(found), ranges, sets, tolerance)

    @property
    def is_certain(self) -> bool:
        """Whether the segmenter knows labeled cases well enough to judge others."""
        return self.uncertainty <= MAX_UNCERTAINTY

    def rejection_reason(self, case: TrainingCase, predicted: CasePrediction) -> str:
        """Return `UNCERTAIN`, or the class of an implausible size, or "" if the labels are good."""
        if predicted.uncertainty > max(_CERTAIN, _RATIO * self.tolerance * self.largest):
            return UNCERTAIN
        sizes = {} if self.sets is None else _predicted_sizes(case, predicted, self.sets)
        for value, size in sizes.items():
            if value in self.ranges and not self._is_plausible(value, size, predicted.is_whole):
                assert self.sets is not None
                return self.sets.names[value]
        return ""

    def _is_plausible(self, value: int, size: float, is_whole: bool) -> bool:
        low, high = plausible_range(*self.ranges[value])
        return (size >= low / self.tolerance or not is_whole) and size <= high * self.tolerance


def _predicted_sizes(case: TrainingCase, predicted: CasePrediction, sets: LabelSets) -> Volumes:
    counts = np.bincount(predicted.classes.ravel(), minlength=sets.classes)
    return region_sizes(case, dict(enumerate(counts.tolist())), sets)
