"""What a model's metadata say about its training.

Light: the standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..settings import at_least, setting, validate

USELESS_DICE = 0.2
_CUT_SHORT = 0.8  # of the planned steps; learning rates decay by time anyway


@dataclass(frozen=True)
class TrainingRecord:
    """Record of a training.

    Attributes:
        steps: optimizer steps of the segmenter.
        planned_steps: steps that were expected.
        seconds: duration, preparation included.
        weights: which weights were kept: "last" are the moving average at the end of the training,
            rather than those that were best on the validation cases.
        steps_after_validation: steps of the final phase, on all cases, after the last validation.
    """

    steps: int = setting(at_least(0), 0)
    planned_steps: int = setting(at_least(0), 0)
    seconds: float = setting(at_least(0), 0.0)
    weights: str = "last"
    steps_after_validation: int = setting(at_least(0), 0)

    def __post_init__(self) -> None:
        """Validate the entries."""
        validate(self)

    @property
    def is_cut_short(self) -> bool:
        """Whether clearly fewer steps were done than planned."""
        return self.steps < _CUT_SHORT * self.planned_steps

    def notes(self, dice: float | None) -> Iterator[str]:
        """Yield a sentence for each thing that a user of the model must know.

        Args:
            dice: mean Dice on the validation cases; None if not measured.
        """
        if dice is not None and dice < USELESS_DICE:
            yield f"The model has learned nothing of use: its validation Dice is {dice:.2f}."
        if self.is_cut_short:
            yield (
                f"The training was cut short: it had time for {self.steps} of "
                f"{self.planned_steps} steps."
            )
        if dice is not None and self.steps_after_validation:
            yield (
                "The validation Dice dates from before the final phase, in which the model also "
                "learned from the validation cases."
            )
