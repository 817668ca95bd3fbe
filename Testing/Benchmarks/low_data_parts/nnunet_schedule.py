"""How long nnU-Net trains: by its default, or within a time."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_EPOCHS, DEFAULT_ITERATIONS = 1000, 250
FOLDS = 5
_FEWEST_EPOCHS = 10


@dataclass(frozen=True)
class NnunetSchedule:
    """Epochs of each fold, and iterations of each epoch."""

    epochs: int
    iterations: int

    @property
    def steps(self) -> int:
        """Optimizer steps of all folds together."""
        return FOLDS * self.epochs * self.iterations


DEFAULT = NnunetSchedule(DEFAULT_EPOCHS, DEFAULT_ITERATIONS)
TRIAL = NnunetSchedule(2, 10)


def schedule_within(fold_s: float, iteration_s: float) -> NnunetSchedule:
    """Give the schedule that ends a fold in time.

    The learning rate falls from epoch to epoch, so that there are ten of them at least: where ten
    of 250 iterations do not fit, they become shorter.

    Args:
        fold_s: time for one fold.
        iteration_s: what an iteration takes, its share of the validation included.
    """
    iterations = int(fold_s / iteration_s)
    epochs = iterations // DEFAULT_ITERATIONS
    if epochs >= _FEWEST_EPOCHS:
        return NnunetSchedule(min(epochs, DEFAULT_EPOCHS), DEFAULT_ITERATIONS)
    return NnunetSchedule(_FEWEST_EPOCHS, max(1, iterations // _FEWEST_EPOCHS))
