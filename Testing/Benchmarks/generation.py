"""What generated images are worth: arms of generation at equal time, on same and other scanners.

    python Testing/Benchmarks/generation.py --out runs/generation                  # 15 minutes each
    python Testing/Benchmarks/generation.py --out runs/generation --tasks ct-to-mr --seeds 0
    python Testing/Benchmarks/generation.py --out runs/generation --minutes 0.5 --seeds 0

Every training is `genseg train --time-budget` with the settings of an arm; its model segments the
test cases of its own cohort and of the shifted ones with `genseg predict`. Classes are matched by
name, and Dice is computed on each case's own grid. Unlabeled scans are those that the model is to
segment: their images alone. Finished jobs are skipped, interrupted trainings resume. Results are
added to ``results/generation.csv``; ``results_table.py`` prints means and comparisons.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    read_cohort,
    split_cohort,
    write_cases,
)
from jobs import predict_cases, run_missing
from measuring import RESULTS, finish_training
from results_table import ResultsTable, markdown

from GenSegLib.config import ENCODERS

TABLE = RESULTS / "generation.csv"
_MASK = 127  # masks of pictures have 0 and 255
ARMS: dict[str, tuple[str, ...]] = {
    "plain": ("--generator", "none", "--set", "augmentation_transforms=geometric"),
    "augmented": ("--generator", "none"),
    "regions": ("--generator", "regions", "--set", "search_horizon=0"),
    "genseg": ("--generator", "regions"),
    "genseg-unlabeled": ("--generator", "regions", "--unlabeled"),  # scans of shifted cohorts
    "augmented-own": ("--generator", "none", "--unlabeled"),  # of the training's own cohort
}
# values of a class in predictions, and in the labels of a test cohort
Values = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True)
class Task:
    """A cohort to train with, and the shifted cohorts that its models are tested on.

    Attributes:
        cohort: of the training.
        labeled: number of labeled groups or images.
        shifted: names of further test cohorts.
        classes: names and values; all of the cohort if None.
        any_modality: models are applied to another modality, so that even those without
            generation must normalize intensities accordingly.
        merged: the classes count as one in the shifted cohorts.
    """

    cohort: Cohort
    labeled: int
    shifted: tuple[str, ...] = ()
    classes: Mapping[str, int] | None = None
    any_modality: bool = False
    merged: bool = False

    def label_values(self) -> Mapping[str, int]:
        """Return names and values of the classes in the label files."""
        return self.classes or cohort_labels(self.cohort)

    def values_in(self, cohort: str) -> Values:
        """Return the values of each class in predictions and in the labels of a test cohort."""
        labels = self.label_values()
        if self.merged and cohort != self.cohort.name:
            return {
                "whole": (tuple(labels.values()), tuple(cohort_labels(COHORTS[cohort]).values()))
            }
        return {name: ((value,), (value,)) for name, value in labels.items()}


TASKS = {
    "ct-to-mr": Task(
        COHORTS["abdomen_ct_btcv"], 10, ("abdomen_mr_t2_chaos",), ABDOMEN, any_modality=True
    ),
    "mr-to-ct": Task(
        COHORTS["abdomen_mr_t2_chaos"], 6, ("abdomen_ct_btcv",), ABDOMEN, any_modality=True
    ),
    "cardiac": Task(COHORTS["cardiac_cine_acdc"], 7, ("cardiac_bssfp_mscmr", "cardiac_lge_mscmr")),
    "hippocampus": Task(COHORTS["hippocampus"], 10, ("hippocampus_oasis",), merged=True),
    "polyps": Task(COHORTS["polyp_kvasir"], 40, ("polyp_clinicdb",)),
    "skin": Task(COHORTS["skin_isic"], 40, ("skin_ham10000",)),
    "breast": Task(COHORTS["breast_busi"], 40, ("breast_busuclm",)),
    "wounds": Task(COHORTS["wound_fuseg"], 40),
    "lungs": Task(COHORTS["lung_jsrt"], 9),
    "vessels": Task(COHORTS["vessel_drive"], 10),
    "edema": Task(COHORTS["oct_dukedme"], 40),
}


@dataclass(frozen=True)
class Job:
    """One training and its tests: names of task and arm, minutes, seed and encoder."""

    task: str
    arm: str
    minutes: float
    seed: int
    encoder: str = "scratch"

    @property
    def folder_name(self) -> str:
        """Name of the job's folder."""
        name = f"{self.task}-{self.arm}-{self.minutes:g}min-{self.seed}"
        return name if self.encoder == "scratch" else f"{name}-{self.encoder}"

    @property
    def key(self) -> dict[str, object]:
        """The columns that identify the job in the table, with its own test cases."""
        return self.row(TASKS[self.task].cohort.name)

    def row(self, test: str) -> dict[str, object]:
        """Return the columns that identify a test of the job."""
        task = TASKS[self.task]
        row: dict[str, object] = {"train": task.cohort.name, "test": test, "arm": self.arm}
        row |= {"encoder": self.encoder, "labeled": task.labeled, "seed": self.seed}
        return {**row, "task": self.task, "minutes": f"{self.minutes:g}"}


def run_job(job: Job, out: Path) -> list[dict[str, object]]:
    """Train, predict all test cases, and return the rows of the results table."""
    task, folder = TASKS[job.task], out / job.folder_name
    split = split_cohort(task.cohort, task.labeled, job.seed)
    tests = {task.cohort.name: split.test}
    tests |= {name: tuple(read_cohort(COHORTS[name])) for name in task.shifted}
    seconds, run = train(job, split, tests, folder)
    rows: list[dict[str, object]] = []
    for test, cases in tests.items():
        predictions = predict_cases(run, cases, folder / test)
        for case in cases:
            for name, score in scores(task, test, case, predictions).items():
                row = {"case": case.name, "label": name, "dice": f"{score:.4f}"}
                rows.append({**job.row(test), **row, "train_seconds": round(seconds)})
    return rows


def train(
    job: Job, split: Split, tests: Mapping[str, Sequence[CohortCase]], folder: Path
) -> tuple[float, Path]:
    """Train one model; return its seconds and its run folder."""
    task, run = TASKS[job.task], folder / "run"
    has_unlabeled = "--unlabeled" in ARMS[job.arm]
    if job.arm == "genseg-unlabeled":
        split = replace(split, unlabeled=shifted_cases(task, tests) or own_cases(split))
    elif has_unlabeled:
        split = replace(split, unlabeled=own_cases(split))
    cases = folder / "cases.json"
    write_cases(cases, task.cohort, split, task.label_values(), with_unlabeled=has_unlabeled)
    command: list[object] = ["train", cases, "--out", run, "--seed", job.seed, *ARMS[job.arm]]
    command += ["--time-budget", f"{job.minutes * 60:g}s", "--encoder", job.encoder]
    if task.any_modality:
        command += ["--target-scanner", "similar"]
    seconds, _ = finish_training(run, command)
    return seconds, run


def shifted_cases(task: Task, tests: Mapping[str, Sequence[CohortCase]]) -> tuple[CohortCase, ...]:
    """Return the scans of the shifted cohorts; cases of two of them may have the same name."""
    return tuple(
        replace(case, name=f"{name}_{case.name}") for name in task.shifted for case in tests[name]
    )


def own_cases(split: Split) -> tuple[CohortCase, ...]:
    """Return further scans of the training's own cohort, those to be segmented if it has none."""
    return split.unlabeled or split.test


def scores(task: Task, test: str, case: CohortCase, predictions: Path) -> dict[str, float]:
    """Return the Dice of each class that the case or its prediction has."""
    assert case.label is not None
    predicted = read(next(predictions.glob(f"{case.name}.*")))
    reference = read(case.label)
    if task.cohort.spatial_dims == 2:
        reference = (reference > _MASK).astype(np.uint8)
    return {
        name: 2 * overlap / size
        for name, (ours, theirs) in task.values_in(test).items()
        for overlap, size in [overlap_of(np.isin(predicted, ours), np.isin(reference, theirs))]
        if size
    }


def overlap_of(first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    """Return the size of the intersection, and the sum of the sizes."""
    return int((first & second).sum()), int(first.sum()) + int(second.sum())


def read(path: Path) -> np.ndarray:
    array: np.ndarray = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    return array.squeeze()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the jobs that are not in the table yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and predictions")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["ct-to-mr", "cardiac"])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--encoder", choices=ENCODERS, default="scratch")
    parser.add_argument("--table", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    jobs = [
        Job(task, arm, options.minutes, seed, options.encoder)
        for seed in options.seeds
        for task in options.tasks
        for arm in options.arms
    ]
    table = ResultsTable(options.table)
    run_missing(jobs, table, partial(run_job, out=options.out))
    print(markdown(table.rows(), "augmented"))


if __name__ == "__main__":
    main()
