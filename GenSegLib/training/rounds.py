"""Work between the rounds of a training: user feedback, validation and previews."""

from __future__ import annotations

from ..errors import GenSegError
from ..events import EventLog
from ..feedback import Feedback
from ..runs import RunFolder
from .checkpoints import TrainingState
from .learner import Learner
from .previews import write_previews
from .session import Session
from .validation import predict_validation_cases, validation_dice

_MIN_IMPROVEMENT = 1e-4  # of the Dice


class Rounds:
    """Reads feedback, validates and writes previews for one training.

    Args:
        run: run folder.
        events: receives metrics and messages.
    """

    def __init__(self, run: RunFolder, events: EventLog) -> None:
        self._run, self._events = run, events

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

    def validate(self, session: Session, state: TrainingState, done: int) -> None:
        """Measure the Dice on validation cases, and write previews.

        Args:
            session: of the training.
            state: its Dice entries are updated.
            done: steps of the training so far.
        """
        predicted = predict_validation_cases(session.learner)
        if predicted:
            dice = validation_dice(session.learner, predicted)
            improved = dice > state.best_dice + _MIN_IMPROVEMENT
            state.rounds_without_improvement = (
                0 if improved else state.rounds_without_improvement + 1
            )
            state.best_dice = max(dice, state.best_dice)
            state.last_dice = dice
            self._events.metrics("joint", done, validation_dice=dice)
        folder = self._run.previews / f"{done:06d}"
        if not folder.exists():
            write_previews(session, folder, predicted, seed=done)
            self._events.preview(done, folder.relative_to(self._run.path).as_posix())
