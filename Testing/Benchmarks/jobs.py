"""Shared by the benchmarks of trainings: jobs that are run once, and their predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from cohorts_data import CohortCase
from measuring import genseg
from results_table import ResultsTable


class Job(Protocol):
    """A training and its tests."""

    @property
    def folder_name(self) -> str:
        """Name of the job's folder."""

    @property
    def key(self) -> Mapping[str, object]:
        """The columns that identify the job in the table."""


J = TypeVar("J", bound=Job)


def run_missing(
    jobs: Iterable[J], table: ResultsTable, run: Callable[[J], Sequence[Mapping[str, object]]]
) -> None:
    """Run the jobs that are not in the table, and add their rows to it.

    Args:
        jobs: in the order in which they are run.
        table: of results.
        run: returns the rows of a job.
    """
    for job in jobs:
        if not table.has(**job.key):
            table.append(run(job))
            print(f"{job.folder_name} done", flush=True)


def predict_cases(run: Path, cases: Sequence[CohortCase], folder: Path) -> Path:
    """Segment the images of cases with a run's model; return the folder of the predictions."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for case in cases:
        link = images / case.images[0].name
        link.unlink(missing_ok=True)
        link.symlink_to(case.images[0])
    genseg("predict", run / "model", images, "--out", folder / "predictions", "--overwrite")
    return folder / "predictions"
