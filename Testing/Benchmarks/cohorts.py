"""The product's default on ordinary cohorts within a time budget, beside nnU-Net v2.

    python Testing/Benchmarks/cohorts.py --out runs/cohorts                    # 20 minutes, 3 seeds
    python Testing/Benchmarks/cohorts.py --out runs/cohorts --minutes 5 --seeds 0
    python Testing/Benchmarks/cohorts.py --out runs/cohorts --arm nnunet --seeds 0

Every training is `genseg train CASES --time-budget`, as a user types it; its model segments the
test cases with `genseg predict`. Dice is computed on each case's own grid. Finished jobs are
skipped, interrupted trainings resume. Leave the machine idle otherwise. Results are added to
``results/cohorts.csv``; ``results_table.py`` prints their means.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK
from cohorts_data import (
    ABDOMEN,
    COHORTS,
    Cohort,
    CohortCase,
    Split,
    cohort_labels,
    dice,
    split_cohort,
    write_cases,
    write_nnunet_dataset,
)
from jobs import predict_cases, run_missing
from measuring import RESULTS, finish_training, usable_cores
from nnunet import DATASET, train_and_predict
from results_table import ResultsTable, markdown

from GenSegLib.config import ENCODERS

TABLE = RESULTS / "cohorts.csv"


@dataclass(frozen=True)
class Task:
    """A cohort with some of its labels.

    Attributes:
        name: of the task, in the column ``task``.
        cohort: folder of the data.
        labeled: number of labeled groups.
        labels: names of the classes; all of the cohort if empty.
    """

    name: str
    cohort: Cohort
    labeled: int
    labels: tuple[str, ...] = ()

    def label_values(self) -> dict[str, int]:
        """Return names and values of the classes in the label files."""
        values = cohort_labels(self.cohort)
        by_value = {value: name for name, value in values.items()}
        wanted = [by_value[ABDOMEN[name]] for name in self.labels] or list(values)
        return {name: values[name] for name in wanted}


TASKS = {
    task.name: task
    for task in (
        Task("cardiac", COHORTS["cardiac_cine_acdc"], 7),
        Task("atrium", COHORTS["atrium_mr_la2018"], 8),
        Task("liver", COHORTS["abdomen_ct_btcv"], 10, ("Liver",)),
        Task("organs", COHORTS["abdomen_ct_btcv"], 10),
        Task("abdomen-mr", COHORTS["abdomen_mr_t2_chaos"], 6, tuple(ABDOMEN)),
        Task("hippocampus", COHORTS["hippocampus"], 10),
    )
}
PRESETS = {"hippocampus": "hippocampus-mri"}  # the others are planned from the cases alone


@dataclass(frozen=True)
class Job:
    """One training and its test: task, arm, minutes, seed and encoder."""

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
        """The columns that identify the job in the table."""
        name = self.task.cohort.name
        key = {"train": name, "test": name, "arm": self.arm, "encoder": self.encoder}
        size = {"labeled": self.task.labeled, "seed": self.seed}
        return {**key, **size, "task": self.task.name, "minutes": f"{self.minutes:g}"}


def run_job(job: Job, out: Path) -> list[dict[str, object]]:
    """Train, predict the test cases, and return the rows of the results table."""
    split = split_cohort(job.task.cohort, job.task.labeled, job.seed)
    folder = out / job.folder_name
    train = _train_nnunet if job.arm == "nnunet" else _train_genseg
    predictions, train_s, peak_gb, predict_s = train(job, split, folder)
    extra = {
        "peak_gb": f"{peak_gb:.2f}",
        "predict_seconds": f"{predict_s / len(split.test):.1f}",
        "cores": usable_cores(),
    }
    rows = []
    for case in split.test:
        predicted = _read(next(predictions.glob(f"{case.name}.*")))
        for name, score in _scores(job, case, predicted).items():
            row = {"case": case.name, "label": name, "dice": f"{score:.4f}"}
            rows.append({**job.key, **row, "train_seconds": round(train_s), **extra})
    return rows


def _train_genseg(job: Job, split: Split, folder: Path) -> tuple[Path, float, float, float]:
    """Return predictions, training seconds, peak memory (GB) and prediction seconds."""
    cases, run = folder / "cases.json", folder / "run"
    write_cases(cases, job.task.cohort, split, job.task.label_values())
    command: list[object] = ["train", cases, "--out", run, "--seed", job.seed]
    command += ["--time-budget", f"{job.minutes * 60:g}s", "--encoder", job.encoder]
    if job.task.name in PRESETS:
        command += ["--preset", PRESETS[job.task.name]]
    seconds, peak_gb = finish_training(run, command)
    start = time.monotonic()
    predictions = predict_cases(run, split.test, folder)
    return predictions, seconds, peak_gb, time.monotonic() - start


def _train_nnunet(job: Job, split: Split, folder: Path) -> tuple[Path, float, float, float]:
    """Do the same with nnU-Net's own plan: 2d for anisotropic cohorts, else 3d_fullres."""
    write_nnunet_dataset(
        folder / "raw", job.task.cohort, split, cohort_labels(job.task.cohort), DATASET
    )
    configuration = "2d" if job.task.name in ("cardiac", "abdomen-mr") else "3d_fullres"
    budget_s = job.minutes * 60
    start = time.monotonic()
    predictions, (seconds, peak_gb) = train_and_predict(
        folder, "cpu", budget_s=budget_s, configuration=configuration
    )
    return predictions, seconds, peak_gb, time.monotonic() - start - seconds


def _scores(job: Job, case: CohortCase, predicted: np.ndarray) -> dict[str, float]:
    """Return the Dice of each class that the case or its prediction has."""
    assert case.label is not None
    reference = _read(case.label)
    scores = {
        name: dice(predicted, reference, (value,))
        for name, value in job.task.label_values().items()
    }
    return {name: score for name, score in scores.items() if np.isfinite(score)}


def _read(path: Path) -> np.ndarray:
    array: np.ndarray = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    return array


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the jobs that are not in the table yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and predictions")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--minutes", nargs="+", type=float, default=[20.0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--arm", choices=("genseg", "nnunet"), default="genseg")
    parser.add_argument("--encoder", choices=ENCODERS, default="scratch")
    parser.add_argument("--table", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    table = ResultsTable(options.table)
    jobs = [
        Job(TASKS[name], options.arm, minutes, seed, options.encoder)
        for minutes in options.minutes
        for seed in options.seeds
        for name in options.tasks
    ]
    run_missing(jobs, table, partial(run_job, out=options.out))
    print(markdown(table.rows()))


if __name__ == "__main__":
    main()
