"""The publication's tasks on 2-D images, within a time budget, in their own and shifted domains.

    python Testing/Benchmarks/two_d.py --out runs/two_d --encoders scratch
    python Testing/Benchmarks/two_d.py --out runs/two_d --encoders pretrained --seeds 0
    python Testing/Benchmarks/two_d.py --out runs/two_d --tasks polyps --minutes 1 --seeds 0

Every training is `genseg train CASES --preset NAME --time-budget` on one thread; its model segments
the test images of its own set and of the shifted one with `genseg predict`. Dice is computed on
each image's own grid, in pixels. Two processes with different seeds or tasks may share the table.
Finished jobs are skipped, interrupted trainings resume. Results are added to
``results/two_d.csv``; ``results_table.py`` prints means and comparisons, and this script those over
the tasks.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from cohorts_data import (
    COHORTS,
    SHIFTED,
    Cohort,
    CohortCase,
    read_cohort,
    split_cohort,
    write_cases,
)
from jobs import predict_cases, run_missing
from measuring import RESULTS, finish_training
from PIL import Image
from results_table import ResultsTable, markdown

from GenSegLib.config import ENCODERS
from GenSegLib.presets import load_preset

TABLE = RESULTS / "two_d.csv"
ARMS: dict[str, tuple[str, ...]] = {
    "plain": ("--generator", "none", "--set", "augmentation_transforms=geometric"),
    "augmented": ("--generator", "none"),
    "genseg": ("--generator", "regions"),
}
_MASK = 127  # pixels above are foreground


@dataclass(frozen=True)
class Task:
    """Images to train with, the number of labeled ones, and the preset."""

    cohort: Cohort
    labeled: int
    preset: str

    @property
    def label(self) -> str:
        """Name of the class."""
        return load_preset(self.preset).labels[1]

    @property
    def tests(self) -> tuple[str, ...]:
        """Names of the test sets: its own, and shifted ones."""
        return (self.cohort.name, *SHIFTED.get(self.cohort.name, ()))


TASKS = {
    "polyps": Task(COHORTS["polyp_kvasir"], 40, "polyp"),
    "skin": Task(COHORTS["skin_isic"], 40, "skin-lesion"),
    "breast": Task(COHORTS["breast_busi"], 40, "breast-ultrasound"),
    "ulcers": Task(COHORTS["wound_fuseg"], 40, "foot-ulcer"),
    "lungs": Task(COHORTS["lung_jsrt"], 9, "chest-xray-lungs"),
    "vessels": Task(COHORTS["vessel_drive"], 10, "placental-vessels"),
}


@dataclass(frozen=True)
class Job:
    """One training and its tests: names of task, arm and encoder, minutes and seed."""

    task: str
    arm: str
    encoder: str
    minutes: float
    seed: int

    @property
    def folder_name(self) -> str:
        """Name of the job's folder."""
        return f"{self.task}-{self.arm}-{self.encoder}-{self.minutes:g}min-{self.seed}"

    @property
    def key(self) -> dict[str, object]:
        """The columns that identify the job in the table, with its own test set."""
        return self.row(TASKS[self.task].cohort.name)

    def row(self, test: str) -> dict[str, object]:
        """Return the columns that identify a test of the job."""
        task = TASKS[self.task]
        columns = {"train": task.cohort.name, "test": test, "arm": self.arm}
        columns |= {"encoder": self.encoder, "labeled": task.labeled, "seed": self.seed}
        return {**columns, "task": self.task, "minutes": f"{self.minutes:g}"}


def run_job(job: Job, out: Path) -> list[dict[str, object]]:
    """Train, predict all test images, and return the rows of the results table."""
    task, folder = TASKS[job.task], out / job.folder_name
    split = split_cohort(task.cohort, task.labeled, job.seed)
    cases, run = folder / "cases.json", folder / "run"
    write_cases(cases, task.cohort, split, {task.label: 1})
    seconds, _ = finish_training(run, training_command(job, cases, run))
    rows: list[dict[str, object]] = []
    for test in task.tests:
        is_own = test == task.cohort.name
        images = split.test if is_own else read_cohort(COHORTS[test])
        predictions = predict_cases(run, images, folder / test)
        for case in images:
            row = {"case": case.name, "label": task.label}
            score = f"{image_dice(case, predictions):.4f}"
            rows.append({**job.row(test), **row, "dice": score, "train_seconds": round(seconds)})
    return rows


def training_command(job: Job, cases: Path, run: Path) -> list[object]:
    """Return the arguments of `genseg` for a job."""
    command: list[object] = ["train", cases, "--preset", TASKS[job.task].preset, "--out", run]
    command += ["--seed", job.seed, "--threads", 1, "--encoder", job.encoder]
    return [*command, "--time-budget", f"{job.minutes * 60:g}s", *ARMS[job.arm]]


def image_dice(case: CohortCase, predictions: Path) -> float:
    """Return the Dice of the prediction of an image; 1 where neither has foreground."""
    assert case.label is not None
    with Image.open(next(predictions.glob(f"{case.name}.*"))) as found:
        ours = np.asarray(found) > 0
    with Image.open(case.label) as mask:
        theirs = np.asarray(mask.convert("L")) > _MASK
    size = int(ours.sum()) + int(theirs.sum())
    return 2 * int((ours & theirs).sum()) / size if size else 1.0


def means_over_tasks(rows: Iterable[Mapping[str, str]]) -> str:
    """Return the mean Dice over tasks of each encoder and arm, as a Markdown table.

    Tasks count alike, whatever their number of test images, and so do the seeds of a task.
    """
    scores: dict[tuple[str, str, bool], dict[str, list[float]]]
    scores = defaultdict(lambda: defaultdict(list))
    by_job: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row in rows:
        names = ("encoder", "arm", "train", "test", "seed", "minutes")
        by_job[tuple(row[name] for name in names)].append(float(row["dice"]))
    for (encoder, arm, train, test, *_), dices in by_job.items():
        scores[encoder, arm, train == test][test].append(float(np.mean(dices)))
    lines = ["| encoder | arm | test sets | number | Dice |", "| --- | --- | --- | --- | --- |"]
    for (encoder, arm, is_own), by_test in sorted(scores.items()):
        mean = np.mean([np.mean(each) for each in by_test.values()])
        domain = "own" if is_own else "shifted"
        lines.append(f"| {encoder} | {arm} | {domain} | {len(by_test)} | {mean:.4f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the jobs that are not in the table yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and predictions")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    jobs = [
        Job(task, arm, encoder, options.minutes, seed)
        for seed in options.seeds
        for encoder in options.encoders
        for task in options.tasks
        for arm in options.arms
    ]
    table = ResultsTable(options.table)
    run_missing(jobs, table, partial(run_job, out=options.out))
    print(markdown(table.rows(), "augmented"))
    print()
    print(means_over_tasks(table.rows()))


if __name__ == "__main__":
    main()
