"""Labels of unlabeled cases, predicted by the averaged segmenter while it trains.

Self-training: the averaged segmenter (the teacher) labels whole unlabeled cases now and then, with
the postprocessing of predictions, and the segmenter learns from them like from labeled ones, or
recolored regions get the contrasts of the same classes there. Voxels that the teacher is uncertain
about are ignored; cases that it labels worse than labeled ones, such as those of another part of
the body, are left out (`pseudo_label_checks`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..data.training_case import Box, CasePatches, TrainingCase, symmetric_padding
from .pseudo_label_checks import UNCERTAIN, CasePrediction, Reference

# Start of self-training, and interval of its rounds, as fractions of the segmenter's training. Poor
# labels are enough for contrasts of another scanner, but not to learn from on the same one.
SAME_SCANNER, OTHER_SCANNER = (0.5, 0.25), (0.25, 0.15)
MIN_CONFIDENCE = 0.6  # of a voxel; others are ignored


@dataclass(frozen=True)
class RelabeledCase:
    """A case with another label; see `TrainingCase` for the rest.

    Attributes:
        case: the case.
        label: (*shape) of classes; their number is the value of ignored voxels.
        classes: number of classes, background included.
        coarse: the same at the coarse spacing, if the case has one.
    """

    case: TrainingCase
    label: torch.Tensor
    classes: int
    coarse: RelabeledCase | None = None

    @property
    def spacing(self) -> tuple[float, ...]:
        """See `TrainingCase`."""
        return self.case.spacing

    def patches(self, size: Sequence[int]) -> CasePatches:
        """See `PatchSource`."""
        margins = symmetric_padding(self.label.shape, size)
        label = F.pad(self.label, [edge for margin in reversed(margins) for edge in margin])
        present = [value for value in label.unique().tolist() if 0 < value < self.classes]
        voxels = [torch.nonzero(label == value).cpu() for value in present]
        return _RelabeledPatches(self.case.patches(size), label, voxels)


@dataclass(frozen=True)
class _RelabeledPatches:
    patches: CasePatches
    label: torch.Tensor
    voxels: list[torch.Tensor]
    annotated: torch.Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.label.shape)

    def cut(self, box: Box) -> tuple[torch.Tensor, torch.Tensor]:
        image, _ = self.patches.cut(box)
        return image, self.label[box][None].long()


class PseudoLabels:
    """The labels of the unlabeled cases of a training, renewed at intervals.

    Args:
        cases: unlabeled cases, whose labels are not read.
        classes: number of classes, background included.
        device: of the labels.
        schedule: `SAME_SCANNER` or `OTHER_SCANNER`, whatever the cases are from.
    """

    def __init__(
        self,
        cases: Sequence[TrainingCase],
        classes: int,
        device: torch.device,
        schedule: tuple[float, float] = OTHER_SCANNER,
    ) -> None:
        self._cases = sorted(cases, key=_voxels)  # many small ones before a large one
        self._classes, self._device = classes, device
        self._labels: dict[int, tuple[torch.Tensor, ...]] = {}  # fine and coarse, by case
        self._rejections: dict[int, str] = {}  # by case
        self._next = 0  # case to label
        self._due, self._interval = schedule

    def is_due(self, progress: float) -> bool:
        """Return whether labels are to be renewed at this fraction of the training."""
        return progress >= self._due

    def postpone(self, progress: float) -> None:
        """Label after another interval from this fraction of the training on."""
        self._due = progress + self._interval

    def update(
        self,
        predict: Callable[[TrainingCase], CasePrediction],
        progress: float,
        limit_s: float,
        reference: Reference | None = None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Label as many cases as fit into the time, at least one; the next time, those after them.

        Args:
            predict: segments a case, or as much of it as fits into the time.
            progress: fraction of the training that is done.
            limit_s: seconds.
            reference: what the labels are judged by.
            is_stopped: whether the user has asked to stop; no further case is labeled then.
        """
        start, pace = time.monotonic(), 0.0  # seconds a voxel
        for _ in range(len(self._cases)):
            case, began = self._cases[self._next], time.monotonic()
            self._update_case(self._next, predict(case), reference or Reference())
            self._next = (self._next + 1) % len(self._cases)
            pace = max(pace, (time.monotonic() - began) / _voxels(case))
            expected_s = pace * _voxels(self._cases[self._next])
            if time.monotonic() - start + expected_s > limit_s or is_stopped():
                break
        self.postpone(progress)

    def _update_case(self, index: int, prediction: CasePrediction, reference: Reference) -> None:
        is_sure = prediction.confidence >= MIN_CONFIDENCE
        fine = np.where(is_sure, prediction.classes, np.uint8(self._classes))
        found = [fine, *([] if prediction.coarse is None else [prediction.coarse])]
        labels = (torch.from_numpy(np.array(each)) for each in found)
        self._labels[index] = tuple(label.to(self._device) for label in labels)
        self._rejections[index] = reference.rejection_reason(self._cases[index], prediction)

    @property
    def count(self) -> int:
        """Number of unlabeled cases."""
        return len(self._cases)

    @property
    def has_judged(self) -> bool:
        """Whether any case has been labeled."""
        return bool(self._rejections)

    @property
    def cases(self) -> list[RelabeledCase]:
        """The cases whose labels are good enough."""
        found = sorted(self._rejections.items())
        return [self._relabeled(index) for index, reason in found if not reason]

    @property
    def uncertain(self) -> list[str]:
        """Names of the cases that are left out because the teacher is uncertain about them."""
        found = sorted(self._rejections.items())
        return [self._cases[index].name for index, reason in found if reason == UNCERTAIN]

    @property
    def implausible(self) -> dict[str, str]:
        """By the names of the other cases that are left out, the class of an implausible size."""
        found = sorted(self._rejections.items())
        return {self._cases[k].name: reason for k, reason in found if reason not in ("", UNCERTAIN)}

    @property
    def unseen(self) -> list[str]:
        """Names of the cases that have not been labeled."""
        return [case.name for k, case in enumerate(self._cases) if k not in self._rejections]

    def _relabeled(self, index: int) -> RelabeledCase:
        case, (label, *coarse) = self._cases[index], self._labels[index]
        small = None
        if case.coarse is not None and coarse:
            small = RelabeledCase(case.coarse, coarse[0], self._classes)
        return RelabeledCase(case, label, self._classes, small)

    def state_dict(self) -> dict[str, Any]:
        """Return the state from which :meth:`load_state_dict` continues."""
        return {
            "labels": {index: list(labels) for index, labels in self._labels.items()},
            "objections": dict(self._rejections),
            "next": self._next,
            "due": self._due,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from an earlier :meth:`state_dict`; labels of earlier versions are renewed."""
        if "objections" not in state:
            return
        self._labels = {index: tuple(labels) for index, labels in state["labels"].items()}
        self._rejections = dict(state["objections"])
        self._next, self._due = state["next"], state["due"]


def _voxels(case: TrainingCase) -> int:
    return math.prod(case.shape)
