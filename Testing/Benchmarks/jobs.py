"""Jobs of the benchmarks: a training and its tests, run once; their commands, rows and options."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cohorts_data import CohortCase
from measuring import genseg
from results_table import ResultsTable
from tasks import Task

Rows = list[dict[str, object]]


@dataclass(frozen=True)
class Job:
    """One training and its tests.

    Attributes:
        task: cohort and classes.
        arm: name of what is compared.
        minutes: of the training.
        seed: of the training, and of the choice of its labeled cases.
        encoder: of the segmenter, as in `TrainConfig`.
    """

    task: Task
    arm: str
    minutes: float
    seed: int
    encoder: str = "scratch"

    @property
    def folder_name(self) -> str:
        """Name of the job's folder."""
        name = f"{self.task.name}-{self.arm}-{self.minutes:g}min-{self.seed}"
        return name if self.encoder == "scratch" else f"{name}-{self.encoder}"

    @property
    def key(self) -> dict[str, object]:
        """The columns that identify the job in the table, with the tests in its own cohort."""
        return self.row(self.task.cohort.name)

    def row(self, test: str) -> dict[str, object]:
        """Return the columns that identify the tests of the job in a cohort."""
        names = {"train": self.task.cohort.name, "test": test, "arm": self.arm}
        size = {"encoder": self.encoder, "labeled": self.task.labeled, "seed": self.seed}
        return {**names, **size, "task": self.task.name, "minutes": f"{self.minutes:g}"}

    def command(self, cases: Path, run: Path, start_from: Path | None = None) -> list[object]:
        """Return the arguments of `genseg` that train on cases within the job's time.

        Args:
            cases: file of the labeled cases.
            run: new folder.
            start_from: run whose model the training starts from, with its encoder.
        """
        command: list[object] = ["train", cases, "--out", run, "--seed", self.seed]
        command += ["--time-budget", f"{self.minutes * 60:g}s"]
        source = ("--from", start_from) if start_from else ("--encoder", self.encoder)
        return [*command, *source]

    def preset_command(
        self, cases: Path, run: Path, start_from: Path | None = None
    ) -> list[object]:
        """Return `command` with the task's preset, if there is one; a model brings its own."""
        command = self.command(cases, run, start_from)
        preset = "" if start_from else self.task.preset
        return [*command, "--preset", preset] if preset else command


J = TypeVar("J", bound=Job)


def run_missing(jobs: Iterable[J], table: ResultsTable, run: Callable[[J], Rows]) -> None:
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


def run_tests(
    job: Job, tests: Mapping[str, Sequence[CohortCase]], run: Path, folder: Path, train_s: float
) -> Rows:
    """Segment test cases with the model of a run; return their rows.

    Args:
        job: that the run belongs to.
        tests: cases by the name of their cohort.
        run: of the training.
        folder: gets the predictions.
        train_s: seconds of the training.
    """
    rows: Rows = []
    for test, cases in tests.items():
        predictions = predict_cases(run, cases, folder / test)
        rows += score_cases(job, test, cases, predictions, train_s)
    return rows


def score_cases(
    job: Job, test: str, cases: Sequence[CohortCase], predictions: Path, train_s: float
) -> Rows:
    """Return the rows of test cases of a cohort, one for each case and class."""
    return [
        {
            **job.row(test),
            **{"case": case.name, "label": label, "dice": f"{score:.4f}"},
            "train_seconds": round(train_s),
        }
        for case in cases
        for label, score in job.task.scores(test, case, predictions).items()
    ]


def predict_cases(run: Path, cases: Sequence[CohortCase], folder: Path) -> Path:
    """Segment the images of cases with a run's model; return the folder of the predictions."""
    images, predictions = folder / "images", folder / "predictions"
    link_images(images, cases)
    genseg("predict", run / "model", images, "--out", predictions, "--overwrite")
    return predictions


def link_images(folder: Path, cases: Iterable[CohortCase]) -> None:
    """Link the images of cases into a folder; links have the names of the images."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        link = folder / case.images[0].name
        link.unlink(missing_ok=True)
        link.symlink_to(case.images[0])


def benchmark_options(description: str | None, table: Path) -> argparse.ArgumentParser:
    """Return the options of all benchmarks: folder, seeds and table.

    Args:
        description: of the benchmark.
        table: default of the table of results.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and predictions")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", type=Path, default=table)
    return parser
