"""The benchmark of 2-D images: jobs, their commands, and what is scored."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest
from cohorts_data import CohortCase
from jobs import run_missing
from PIL import Image
from results_table import ResultsTable
from tasks import IMAGES, Task
from two_d import ARMS, ImageJob, means_over_tasks, training_command

from GenSegLib.commands.train import add_arguments
from GenSegLib.config import ENCODERS
from GenSegLib.presets import load_preset


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_job_is_a_command_that_users_can_type(arm: str, encoder: str) -> None:
    job = ImageJob(IMAGES["polyps"], arm, 10, 3, encoder)
    verb, *arguments = map(str, training_command(job, Path("cases.json"), Path("run")))
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parsed = parser.parse_args(arguments)
    assert (verb, parsed.encoder, parsed.seed) == ("train", encoder, 3)
    assert (parsed.time_budget_s, parsed.threads) == (600, 1)


@pytest.mark.parametrize("task", IMAGES.values(), ids=list(IMAGES))
def test_every_task_has_a_preset_and_its_class(task: Task) -> None:
    preset = load_preset(task.preset)
    assert preset.spatial_dims == 2 and task.label_values() == {preset.labels[1]: 1}


def save(path: Path, rows: list[list[int]], colors: tuple[int, ...] = ()) -> Path:
    image = Image.fromarray(np.array(rows, np.uint8))
    if colors:
        image.putpalette(colors)
    image.save(path)
    return path


def test_dice_compares_label_values_of_predictions_with_masks_of_255(tmp_path: Path) -> None:
    mask = save(tmp_path / "mask.png", [[255, 255, 0, 0]])
    save(tmp_path / "a.png", [[1, 0, 0, 0]], colors=(0, 0, 0, 90, 200, 120))  # as they are written
    case, task = CohortCase("a", "a", (), mask), IMAGES["skin"]
    found = task.scores("skin_ham10000", case, tmp_path)
    assert found == {"Lesion": pytest.approx(2 / 3)}


def test_folders_have_the_encoder_before_the_minutes() -> None:
    job = ImageJob(IMAGES["polyps"], "genseg", 10, 0, "pretrained")
    assert job.folder_name == "polyps-genseg-pretrained-10min-0"


def test_jobs_in_the_table_are_not_run_again(tmp_path: Path) -> None:
    table, ran = ResultsTable(tmp_path / "table.csv"), []

    def run(job: ImageJob) -> list[dict[str, object]]:
        ran.append(job.folder_name)
        return [{**job.key, "case": "a", "label": "x", "dice": 0.5, "train_seconds": 1}]

    jobs = [ImageJob(IMAGES["polyps"], "plain", 1, 0, encoder) for encoder in ENCODERS]
    run_missing(jobs[:1], table, run)
    run_missing(jobs, table, run)
    assert ran == [job.folder_name for job in jobs]


def test_means_count_every_task_alike() -> None:
    rows = [
        {**ImageJob(IMAGES[task], "plain", 1, 0).key, "dice": dice}
        for task, dice in (("polyps", 0.2), ("polyps", 0.4), ("skin", 0.9))
    ]
    text = means_over_tasks([{k: str(v) for k, v in row.items()} for row in rows])
    assert "| scratch | plain | own | 2 | 0.6000 |" in text
