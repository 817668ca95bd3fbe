"""What all trainings of the benchmark share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import RESULTS, genseg, timed_training
from protocol import TEST_CASES

from .nnunet_schedule import NnunetSchedule


@dataclass(frozen=True)
class Conditions:
    """Where cases, runs and tables are, and how everything is run.

    Attributes:
        data: cases in the Decathlon's layout.
        runs: folder of the run folders.
        results: folder of the tables.
        preset: of `genseg train`.
        device: of all trainings and predictions.
        options: further options of every `genseg train`.
        nnunet_schedule: of nnU-Net; None for the arm's own.
        test_cases: how many cases are for the report alone.
        train: runs `genseg train` with arguments, and gives its seconds and its peak memory in GB.
        verb: runs any other verb.
    """

    data: Path
    runs: Path
    results: Path = RESULTS
    preset: str = "hippocampus-mri"
    device: str = "auto"
    options: tuple[str, ...] = ()
    nnunet_schedule: NnunetSchedule | None = None
    test_cases: int = TEST_CASES
    train: Callable[[Sequence[object]], tuple[float, float]] = timed_training
    verb: Callable[..., None] = genseg

    @property
    def scores(self) -> Path:
        """The table of scores, a row a test case and label."""
        return self.results / "low_data.csv"

    @property
    def costs(self) -> Path:
        """The table of what each training cost, and where it ran."""
        return self.results / "low_data_costs.csv"
