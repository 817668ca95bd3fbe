"""Work between the rounds of a training: user feedback, validation and previews."""

from __future__ import annotations

import math
import time

from ..errors import GenSegError
from ..events import EventLog
from ..feedback import Feedback
from ..runs import RunFolder
from .checkpoints import TrainingState
from .learner import Learner
from .previews import write_previews
from .session import Session
from .validation import CaseSegmenter, Classes, class_dices, mean_dice

# Of a training's time: for all validations, and for the cases of one; little time is always free.
_SHARE, _SHARE_OF_ONE = 0.1, 0.04
_FREE_S = 5.0
_LABELING_SHARE = 0.03  # of a training's time, for the labels of unlabeled cases at one point


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
        return needed <= max(_FREE_S, _SHARE * elapsed_s)

    def validate(self, session: Session, state: TrainingState, done: int, total_s: float) -> None:
        """Measure the Dice on validation cases, and write previews.

        Args:
            session: of the training.
            state: its entries on validation are updated.
            done: steps of the training so far.
            total_s: expected seconds of the whole training.
        """
        start, is_first = time.monotonic(), self._count is None
        predicted = self._predict_within(session, max(_FREE_S, _SHARE_OF_ONE * total_s))
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
        """Label unlabeled cases by the averaged segmenter.

        Args:
            session: of the training.
            total_s: expected seconds of the whole training.
        """
        learner = session.learner
        segmenter = CaseSegmenter(learner, list(session.names))
        learner.label_unlabeled(segmenter.predict, max(_FREE_S, _LABELING_SHARE * total_s))
        labels = learner.pseudo_labels
        assert labels is not None
        found = f"{len(labels.cases)} of {labels.count} unlabeled cases"
        if learner.config.learns_from_unlabeled:
            text = f"training includes {found} from now on, labeled by the averaged model"
        else:
            text = f"the averaged model is certain about {found}; structures get their contrasts"
        self._events.log(text)

    def report_unlabeled(self, learner: Learner) -> None:
        """Name the unlabeled cases that were left out."""
        names = learner.pseudo_labels.uncertain if learner.pseudo_labels else []
        if names:
            self._events.log(
                f"unlabeled cases were left out, because the model is uncertain about them: "
                f"{', '.join(names)}; check that they show the same part of the body",
                "warning",
            )

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
        dice = mean_dice([class_dices(each, label, learner.sets) for each, label in pairs])
        if math.isnan(dice):
            return None
        state.is_empty = not any(each.any() for each in predicted)
        return dice
