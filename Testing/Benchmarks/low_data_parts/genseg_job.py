"""One training by GenSeg, as a user calls it: train, predict the test cases, evaluate."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

from protocol import case_names, split_cases, test_images, write_cases
from resumable import finish_training

from GenSegLib.runs import RunFolder

from .arms import GENSEG_ARMS
from .conditions import Conditions
from .jobs import Job
from .tables import SCORES, Row


def run_genseg_job(job: Job, conditions: Conditions) -> tuple[list[Row], Row]:
    """Do what is not done yet of a training; return its scores and what it cost."""
    run = job.folder(conditions.runs)
    command = training_command(job, run, conditions)
    seconds, memory_gb = finish_training(run, command, conditions.train)
    predictions = run.with_name(run.name + "-predictions")
    shutil.rmtree(predictions, ignore_errors=True)
    images = test_images(conditions.data, job.seed, conditions.test_cases)
    conditions.verb("predict", run, *images, "--out", predictions, "--device", conditions.device)
    rows = evaluate(predictions, conditions)
    config = RunFolder.open(run).config
    return rows, {
        "segmenter_steps": str(config.joint_steps + config.final_steps),
        "train_s": f"{seconds:.1f}",
        "peak_gb": f"{memory_gb:.2f}",
    }


def training_command(job: Job, run: Path, conditions: Conditions) -> list[object]:
    """Write the list of the cases; return the arguments of `genseg`."""
    arm = GENSEG_ARMS[job.arm]
    names = case_names(conditions.data)
    split = split_cases(names, job.labeled, job.seed, conditions.test_cases)
    cases = run.with_name(run.name + "-cases.json")
    write_cases(cases, conditions.data, split, with_unlabeled=arm.unlabeled)
    return [
        *("train", cases, "--preset", conditions.preset, "--seed", job.seed, "--out", run),
        *("--segmenter", job.network, "--device", conditions.device),
        *arm.options,
        *conditions.options,
    ]


def evaluate(predictions: Path, conditions: Conditions) -> list[Row]:
    """Return a row of scores for each test case and label."""
    table = predictions.with_name(predictions.name + ".csv")
    conditions.verb(
        *("evaluate", "--predictions", predictions, "--references", conditions.data / "labelsTr"),
        *("--out", table, "--overwrite"),
    )
    with table.open(newline="", encoding="utf-8") as stream:
        return [{name: row[name] for name in SCORES[4:]} for row in csv.DictReader(stream)]
