"""Work between the rounds of a training: user feedback, validation and previews."""

from __future__ import annotations

import math
import time
from functools import partial

from ..data.training_case import TrainingCase
from ..errors import GenSegError
from ..events import EventLog
from ..feedback import Feedback
from ..runs import RunFolder
from .checkpoints import TrainingState
from .learner import Learner
from .previews import write_previews
from .pseudo_label_checks import CasePrediction, Reference
from .session import Session
from .typical_features import typical_features
from .validation import CaseSegmenter, Classes, class_dice_scores, mean_dice

# Of a training's time: for all validations, and for the cases of one; little time is always free.
_VALIDATION_FRACTION, _FRACTION_OF_ONE = 0.1, 0.04
_FREE_S = 5.0
_LABELING_FRACTION = 0.03  # of a training's time, for the labels of unlabeled cases at one point

_LEARNED = "training includes {} of {} unlabeled cases from now on, labeled by the averaged model"
_IMITATED = (
    "the averaged model is certain about {} of {} unlabeled cases; structures get their contrasts"
)
_UNLABELED_CONTRASTS = (
    "the averaged model is certain about 0 of {} unlabeled cases; their contrasts are imitated "
    "without labels"
)
_UNCERTAIN_REFERENCE = (
    "the averaged model is not good enough yet to judge unlabeled cases: its uncertainty on "
    "labeled ones is {:.2f}"
)
_UNCERTAIN = (
    "unlabeled cases were left out, because the model is uncertain about them: {}; check that they "
    "show the same part of the body"
)
_IMPLAUSIBLE = (
    "unlabeled cases were left out, because a structure has another size there than in the labeled "
    "cases: {}; check that they show the same part of the body"
)
_CONTRASTS_ALONE = (
    "the model could not label the unlabeled cases well, and imitated their contrasts alone; check "
    "that they show the same part of the body"
)
_UNSEEN = "unlabeled cases were left out, as there was no time to label them: {}"
_NEVER_JUDGED = (
    "the model never was good enough to label the {} unlabeled cases; a longer time budget, or "
    "more labeled cases, give a better model"
)


class Rounds:
    """Reads feedback, validates and writes previews for one training.

    Args:
        run: run folder.
        events: receives metrics and messages.
    """

    def __init__(self, run: RunFolder, events: EventLog) -> None:
        self._run, self._events = run, events
        self._spent_s = self._last_s = 0.0
        self._count: int | None = None  # of cases that are validated

    def read_feedback(self, learner: Learner) -> None:
        """Apply what the user has rejected since the last round."""
        feedback = self._load_feedback()
        if feedback is None or not learner.config.has_generator or feedback == learner.feedback:
            return
        learner.apply_feedback(feedback)
        self._events.log(
            f"feedback applied: {len(feedback.pairs)} pairs of cases excluded; "
            f"weakened: {', '.join(sorted(feedback.kinds)) or 'none'}"
        )

    def _load_feedback(self) -> Feedback | None:
        try:
            return Feedback.load(self._run.path)
        except GenSegError as error:
            self._events.log(f"feedback ignored: {error}", "warning")
            return None

    def can_validate(self, elapsed_s: float) -> bool:
        """Return whether another validation, and the last one, fit into a tenth of the time."""
        needed = self._spent_s + 2 * self._last_s
        return needed <= max(_FREE_S, _VALIDATION_FRACTION * elapsed_s)

    def validate(self, session: Session, state: TrainingState, done: int, total_s: float) -> None:
        """Measure the Dice on validation cases, and write previews.

        Args:
            session: of the training.
            state: its entries on validation are updated.
            done: steps of the training so far.
            total_s: expected seconds of the whole training.
        """
        start, is_first = time.monotonic(), self._count is None
        predicted = self._predict_within(session, max(_FREE_S, _FRACTION_OF_ONE * total_s))
        dice = self._measure(session.learner, predicted, state)
        if dice is None and predicted and is_first:
            names = ", ".join(case.name for case in session.learner.validation_cases)
            self._events.log(
                f"the validation cases ({names}) have no class to measure: it is in none of them, "
                "or nobody annotated it; choose others for validation",
                "warning",
            )
        if dice is not None:
            state.last_dice = dice
            self._events.metrics("joint", done, validation_dice=dice)
        folder = self._run.previews / f"{done:06d}"
        if not folder.exists():
            write_previews(session, folder, predicted, seed=done)
            self._events.preview(done, folder.relative_to(self._run.path).as_posix())
        self._last_s = time.monotonic() - start
        self._spent_s += self._last_s

    def measure_fit(self, session: Session, state: TrainingState) -> None:
        """Measure the Dice on validation cases after the final phase has learned from them, too.

        A model that was validated too early fits them by then; one that has learned nothing does
        not. This takes about `_FREE_S` seconds, as the time is over.
        """
        predicted = self._predict(session, _FREE_S)
        state.fit_dice = self._measure(session.learner, predicted, state)

    def label_unlabeled(self, session: Session, total_s: float) -> None:
        """Label unlabeled cases by the averaged segmenter, once it knows labeled cases.

        Args:
            session: of the training.
            total_s: expected seconds of the whole training.
        """
        with typical_features(session.learner):
            self._label_unlabeled(session, total_s)

    def _label_unlabeled(self, session: Session, total_s: float) -> None:
        learner, start = session.learner, time.monotonic()
        labels = learner.pseudo_labels
        assert labels is not None
        limit_s = max(_FREE_S, _LABELING_FRACTION * total_s)
        segmenter = CaseSegmenter(learner, list(session.names))
        reference = self._reference(learner, segmenter, limit_s / 4)
        if not reference.is_certain:
            labels.postpone(learner.progress)
            self._events.log(_UNCERTAIN_REFERENCE.format(reference.uncertainty))
            return
        left_s = max(limit_s / 2, limit_s - (time.monotonic() - start))
        predict = partial(segmenter.predict, limit_s=left_s)
        learner.label_unlabeled(predict, left_s, reference, self._run.stop_requested)
        count, total = len(labels.cases), labels.count
        if learner.config.learns_from_unlabeled:
            text = _LEARNED.format(count, total)
        else:
            text = _IMITATED.format(count, total) if count else _UNLABELED_CONTRASTS.format(total)
        self._events.log(text)

    @staticmethod
    def _reference(learner: Learner, segmenter: CaseSegmenter, limit_s: float) -> Reference:
        """Return what labels are judged by, from predictions of labeled cases within the time."""
        start = time.monotonic()
        known = sorted(learner.validation_cases or learner.cases, key=lambda c: math.prod(c.shape))
        predicted: list[tuple[TrainingCase, CasePrediction]] = []
        for case in known:
            predicted.append((case, segmenter.predict(case)))
            if time.monotonic() - start > limit_s:
                break
        is_other = learner.config.target_scanner > 0
        return Reference.of(learner.cases, predicted, learner.sets, is_other_scanner=is_other)

    def report_unlabeled(self, learner: Learner) -> None:
        """Name the unlabeled cases that were left out, and why."""
        labels = learner.pseudo_labels
        if labels is None:
            return
        if learner.config.target_scanner and labels.has_judged and not labels.cases:
            self._events.log(_CONTRASTS_ALONE, "warning")
            return
        if labels.uncertain:
            self._events.log(_UNCERTAIN.format(", ".join(labels.uncertain)), "warning")
        if labels.implausible:
            found = (f"{case} ({name})" for case, name in labels.implausible.items())
            self._events.log(_IMPLAUSIBLE.format(", ".join(found)), "warning")
        if labels.unseen and labels.has_judged:
            self._events.log(_UNSEEN.format(", ".join(labels.unseen)), "warning")
        elif labels.unseen:
            self._events.log(_NEVER_JUDGED.format(labels.count), "warning")

    def _predict_within(self, session: Session, limit_s: float) -> list[Classes]:
        """Return the predictions of as many validation cases as fit into the time at first."""
        if self._count is not None:
            return self._predict(session, math.inf)
        predicted = self._predict(session, limit_s)
        count = len(session.learner.validation_cases)
        if len(predicted) < count:
            self._events.log(
                f"validation uses {len(predicted)} of {count} cases, since predictions of whole "
                "images would take too large a part of the time"
            )
        self._count = len(predicted)
        return predicted

    def _predict(self, session: Session, limit_s: float) -> list[Classes]:
        start = time.monotonic()
        segment = CaseSegmenter(session.learner, list(session.names))
        predicted: list[Classes] = []
        for case in session.learner.validation_cases[: self._count]:
            predicted.append(segment(case))
            if time.monotonic() - start > limit_s:
                break
        return predicted

    @staticmethod
    def _measure(learner: Learner, predicted: list[Classes], state: TrainingState) -> float | None:
        """Return the mean Dice on the first validation cases; None if they show no class."""
        labels = (case.label.cpu().numpy() for case in learner.validation_cases)
        pairs = zip(predicted, labels)
        dice = mean_dice([class_dice_scores(each, label, learner.sets) for each, label in pairs])
        if math.isnan(dice):
            return None
        state.is_empty = not any(each.any() for each in predicted)
        return dice
