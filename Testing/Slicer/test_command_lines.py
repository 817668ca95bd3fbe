"""Command lines of jobs on many volumes: those of Windows end after 32,767 characters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bright_model import bright_block, make_bright_model
from GenSegSlicerLib import LibraryProcess
from GenSegSlicerLib.AnnotationCases import AnnotationCase
from GenSegSlicerLib.ApplyJob import ApplyJob
from GenSegSlicerLib.Library import libraryArguments
from GenSegSlicerLib.ProcessJob import ProcessJob
from GenSegSlicerLib.RankingJob import RankingJob
from mrml_nodes import GRIDS

from GenSegLib.annotation.folder import AnnotationFolder
from GenSegLib.datasets.case_lists import read_case_list
from GenSegLib.steps import finish

MANY = 2000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bright_model(tmp_path_factory.mktemp("models") / "bright")


@pytest.fixture
def arguments_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[ProcessJob], list[str]]]:
    """Return the arguments of the process that a job would start; ends the jobs after the test."""
    jobs: list[ProcessJob] = []
    found: list[str] = []

    def start(process: object, arguments: list[object]) -> None:
        found.extend(libraryArguments([str(each) for each in arguments]))

    def compute(job: ProcessJob) -> list[str]:
        jobs.append(job)
        job._compute("")
        return found

    monkeypatch.setattr(LibraryProcess.LibraryProcess, "start", start)
    yield compute
    for job in jobs:
        job._finish("cancelled", "")  # its folder would be found by other tests


def length(arguments: list[str]) -> int:
    return sum(len(each) + 3 for each in arguments)  # with quotes and a space


def test_many_volumes_are_segmented_from_a_folder(
    scene: Any, model: Path, arguments_of: Callable[[ProcessJob], list[str]]
) -> None:
    volume, _ = bright_block("a", GRIDS["RAS"])
    job = ApplyJob(model, [volume] * MANY)
    arguments = arguments_of(job)
    assert length(arguments) < 8000
    assert job._images(0)[0].parent in map(Path, arguments)


def test_many_cases_are_ranked_from_a_list(
    scene: Any, model: Path, arguments_of: Callable[[ProcessJob], list[str]], tmp_path: Path
) -> None:
    names = [f"clip_frame{k:03d}" for k in range(MANY)]
    cases = {
        name: AnnotationCase(name, name, image=tmp_path / f"clip.dcm#{k + 1}")
        for k, name in enumerate(names)
    }
    job = RankingJob(model, "unsure", cases, AnnotationFolder(tmp_path))
    finish(job._writeInputs())
    arguments = arguments_of(job)
    assert length(arguments) < 8000
    (listed,) = (Path(each) for each in arguments if each.endswith(".json"))
    assert [case.image for case in read_case_list(listed).cases] == [
        case.image for case in cases.values()
    ]
