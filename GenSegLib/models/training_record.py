"""What a model's metadata say about its training.

Light: the standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..settings import at_least, between, require, setting, validate

USELESS_DICE = 0.2
_CUT_SHORT = 0.8  # of the planned steps; learning rates decay by time anyway


def is_useless(dice: float | None) -> bool:
    """Return whether a Dice has been measured and is too low to be of any use."""
    return dice is not None and dice < USELESS_DICE


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
        fit_dice: mean Dice on the validation cases at the end, when the model has learned from
            them, too; None unless that before the final phase was of no use.
        started_from: name of the model that the training started from; "" for none.
        started_cases: labeled cases that this model had learned from.
        planned: whether spacing, patch and network were planned from the cases.
        settings: other settings than the defaults, for training runs that start from this model.
    """

    steps: int = setting(at_least(0), 0)
    planned_steps: int = setting(at_least(0), 0)
    seconds: float = setting(at_least(0), 0.0)
    weights: str = "last"
    steps_after_validation: int = setting(at_least(0), 0)
    fit_dice: float | None = setting(between(0, 1), None)
    started_from: str = ""
    started_cases: int = setting(at_least(0), 0)
    planned: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validate the entries."""
        validate(self)
        require(isinstance(self.settings, dict), "settings", "an object")

    @property
    def is_cut_short(self) -> bool:
        """Whether clearly fewer steps were done than planned."""
        return self.steps < _CUT_SHORT * self.planned_steps

    def has_learned_nothing(self, dice: float | None) -> bool:
        """Return whether the model is of no use, not even on cases that it has learned from.

        Args:
            dice: mean Dice on the validation cases; None if not measured.
        """
        return is_useless(dice) and (self.fit_dice is None or is_useless(self.fit_dice))

    def notes(self, dice: float | None) -> Iterator[str]:
        """Yield a sentence for each thing that a user of the model must know.

        Args:
            dice: mean Dice on the validation cases; None if not measured.
        """
        if self.started_from:
            yield (
                f"The training started from the model {self.started_from}, which had learned from "
                f"{self.started_cases} cases."
            )
        if self.has_learned_nothing(dice):
            yield f"The model is not usable: its validation Dice is {dice:.2f}."
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
        if self.fit_dice is not None and not is_useless(self.fit_dice):
            yield (
                f"It was measured too early to be meaningful: at the end of training, the Dice on "
                f"these cases is {self.fit_dice:.2f}."
            )
