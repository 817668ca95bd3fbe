"""One training by GenSeg, as a user calls it: train, predict the test cases, evaluate."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from protocol import case_names, split_cases, test_images, write_cases

from GenSegLib.events import read_events
from GenSegLib.runs import RunFolder, State

from .arms import GENSEG_ARMS
from .conditions import Conditions
from .jobs import Job
from .tables import SCORES, Row


def run_genseg_job(job: Job, conditions: Conditions) -> tuple[list[Row], Row]:
    """Do what is not done yet of a training; return its scores and what it cost."""
    run = job.folder(conditions.runs)
    memory_gb = train(job, run, conditions)
    predictions = run.with_name(run.name + "-predictions")
    shutil.rmtree(predictions, ignore_errors=True)
    images = test_images(conditions.data, job.seed, conditions.test_cases)
    conditions.verb("predict", run, *images, "--out", predictions, "--device", conditions.device)
    rows = evaluate(predictions, conditions)
    config = RunFolder.open(run).config
    seconds = seconds_of(read_events(run / "events.jsonl"))
    return rows, {
        "segmenter_steps": str(config.joint_steps + config.final_steps),
        "train_s": f"{seconds:.1f}",
        "peak_gb": f"{memory_gb:.2f}",
    }


def train(job: Job, run: Path, conditions: Conditions) -> float:
    """Train, or go on with a training that was interrupted; return the peak memory in GB.

    A run that is finished keeps the memory that was measured then.
    """
    measured = run.with_name(run.name + "-memory.txt")
    if RunFolder.is_run(run) and RunFolder.open(run).has_begun():
        if is_finished(run) and measured.is_file():
            return float(measured.read_text(encoding="utf-8"))
        _, memory_gb = conditions.train(["train", run, "--resume"])
    else:
        shutil.rmtree(run, ignore_errors=True)
        _, memory_gb = conditions.train(training_command(job, run, conditions))
    measured.write_text(f"{memory_gb}", encoding="utf-8")
    return memory_gb


def is_finished(run: Path) -> bool:
    """Tell whether a training has come to its model."""
    return RunFolder.open(run).read_status()["state"] == State.FINISHED.value


def training_command(job: Job, run: Path, conditions: Conditions) -> list[object]:
    """Write the list of the cases; return the arguments of `genseg`."""
    arm = GENSEG_ARMS[job.arm]
    names = case_names(conditions.data)
    split = split_cases(names, job.labelled, job.seed, conditions.test_cases)
    cases = run.with_name(run.name + "-cases.json")
    write_cases(cases, conditions.data, split, with_unlabelled=arm.unlabelled)
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


def seconds_of(events: Iterable[Mapping[str, Any]]) -> float:
    """Return how long a training ran, without the time between its interruptions."""
    total, began, last = 0.0, None, 0.0
    for event in events:
        if event.get("state") == "running":
            total += 0.0 if began is None else last - began
            began = event["time"]
        last = event["time"]
    return total if began is None else total + last - began
