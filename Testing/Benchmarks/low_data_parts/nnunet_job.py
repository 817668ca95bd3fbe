"""nnU-Net v2 as its users run it: plan, train all five folds, find the postprocessing, predict.

Planner, augmentation, network, optimizer and loss are its own. With its default schedule the arm
is `nnunet:default`; `nnunet` has the time that `genseg` took for the same cases on the same
machine: a short trial (not counted) measures an iteration, and epochs are set to fit
(`nnunet_trainer.py`). Planning, start-up and validation count as its users wait
for them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from protocol import case_names, split_cases

from .conditions import Conditions
from .genseg_job import evaluate
from .jobs import Job
from .nnunet import Nnunet
from .nnunet_data import DATASET, write_dataset
from .nnunet_schedule import DEFAULT, FOLDS, TRIAL, NnunetSchedule, schedule_within
from .tables import Row, read_table


def run_nnunet_job(job: Job, conditions: Conditions) -> tuple[list[Row], Row]:
    """Do what is not done yet of a training by nnU-Net; return its scores and what it cost.

    Raises:
        SystemExit: there are fewer cases than folds, or `genseg` has no time to give yet.
    """
    if job.labeled < FOLDS:
        raise SystemExit(f"{job}: nnU-Net trains {FOLDS} folds; give it as many cases at least")
    folder = job.folder(conditions.runs)
    names = case_names(conditions.data)
    split = split_cases(names, job.labeled, job.seed, conditions.test_cases)
    if not (folder / "raw" / DATASET / "dataset.json").is_file():
        write_dataset(folder / "raw", conditions.data, split)
    schedule = conditions.nnunet_schedule
    if schedule is None:
        schedule = DEFAULT if job.arm == "nnunet:default" else _fitting(job, folder, conditions)
    nnunet = Nnunet(folder, conditions.device, schedule)
    nnunet.plan()
    for fold in range(FOLDS):
        nnunet.train(fold)
    nnunet.find_postprocessing()
    predictions = nnunet.predict()
    return evaluate(predictions, conditions), {
        "segmenter_steps": str(schedule.steps),
        "train_s": f"{nnunet.seconds:.1f}",
        "peak_gb": f"{nnunet.peak_gb:.2f}",
    }


def _fitting(job: Job, folder: Path, conditions: Conditions) -> NnunetSchedule:
    """Give the schedule that takes as long as `genseg` did; it is decided once."""
    file = folder / "schedule.json"
    if file.is_file():
        return NnunetSchedule(**json.loads(file.read_text(encoding="utf-8")))
    budget_s = _time_of_genseg(job, conditions)
    trial = Nnunet(folder / "trial", conditions.device, TRIAL)
    shutil.copytree(folder / "raw", trial.folder / "raw", dirs_exist_ok=True)
    trial.plan()
    planning_s = trial.seconds
    trial.train(0)
    first_s, second_s = trial.epoch_seconds(0)
    around_s = trial.seconds - planning_s - first_s - second_s
    fold_s = (budget_s - planning_s) / FOLDS - around_s
    schedule = schedule_within(fold_s, second_s / TRIAL.iterations)
    file.write_text(json.dumps(vars(schedule)), encoding="utf-8")
    return schedule


def _time_of_genseg(job: Job, conditions: Conditions) -> float:
    genseg = _genseg(job)
    for row in read_table(conditions.costs):
        if Job.of(row) == genseg:
            return float(row["train_s"])
    raise SystemExit(f"{job}: its time is that of {genseg}, which has not run yet")


def _genseg(job: Job) -> Job:
    return Job("dynunet", "genseg", job.labeled, job.seed)
