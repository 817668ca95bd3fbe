"""What comes between two rounds of a training.

The user is heard, the held-back cases judge the segmenter, and previews are written.
"""

from __future__ import annotations

from ..computing import distributed
from ..errors import GenSegError
from ..events import EventLog
from ..feedback import Feedback
from ..runs import RunFolder
from .learner import Learner
from .previews import write_previews
from .session import Session
from .standing import Standing
from .validation import held_back_predictions, validation_dice

_RISE = 1e-4  # of the Dice; less is no progress


class Rounds:
    """Looks back on the rounds of one training.

    Args:
        run: the run folder.
        events: told of what happens.
        leads: whether this process reads and writes in the run folder.
    """

    def __init__(self, run: RunFolder, events: EventLog, *, leads: bool) -> None:
        self._run, self._events, self._leads = run, events, leads

    def hear(self, learner: Learner) -> None:
        """Follow what a clinician rejected since the last round."""
        feedback = distributed.agreed(self._read_feedback() if self._leads else None)
        if feedback is None or not learner.config.has_generator or feedback == learner.feedback:
            return
        learner.follow(feedback)
        self._events.log(
            f"feedback: pairs of cases left out: {len(feedback.pairs)}; "
            f"weaker: {', '.join(sorted(feedback.kinds)) or 'nothing'}"
        )

    def _read_feedback(self) -> Feedback | None:
        try:
            return Feedback.load(self._run.path)
        except GenSegError as fault:
            self._events.log(f"feedback is left aside: {fault}", "warning")
            return None

    def look_back(self, session: Session, standing: Standing, done: int) -> None:
        """Let the held-back cases judge the segmenter, and write previews.

        Args:
            session: after the round.
            standing: given the Dice, and for how many rounds it has not risen.
            done: steps of the training so far.
        """
        predicted = held_back_predictions(session.learner)
        if predicted:
            dice = validation_dice(session.learner, predicted)
            standing.waited = 0 if dice > standing.best_dice + _RISE else standing.waited + 1
            standing.best_dice = max(dice, standing.best_dice)
            standing.last_dice = dice
            self._events.metrics("joint", done, validation_dice=dice)
        folder = self._run.previews / f"{done:06d}"
        if self._leads and not folder.exists():
            write_previews(session, folder, predicted, seed=done)
            self._events.preview(done, folder.relative_to(self._run.path).as_posix())
