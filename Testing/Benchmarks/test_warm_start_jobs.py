"""The benchmark of warm starts: its jobs, and their commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from warm_start import jobs_of, training_command


def test_the_warm_start_has_more_cases_and_a_third_of_the_time() -> None:
    first, nothing, warm = jobs_of("hippocampus", 6, 0)
    assert (first.task.labeled, nothing.task.labeled, warm.task.labeled) == (10, 12, 12)
    assert (nothing.minutes, warm.minutes) == (6, pytest.approx(2))
    assert warm.start == first


def test_models_exist_before_trainings_start_from_them() -> None:
    done: list[str] = []
    for job in jobs_of("cardiac", 6, 0):
        assert job.start is None or job.start.folder_name in done
        done.append(job.folder_name)
    assert len(set(done)) == len(done)


def test_a_warm_start_takes_its_preset_from_the_model() -> None:
    for job in jobs_of("cardiac", 6, 0):
        command = list(map(str, training_command(job, Path("c.json"), Path("run"), Path("out"))))
        assert ("--from" in command) == (job.start is not None)
        assert ("--preset" in command) == (job.arm == "source")
