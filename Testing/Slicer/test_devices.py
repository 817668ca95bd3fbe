"""What a training can run on, asked of the Python that would train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from GenSegSlicerLib import Devices, LibraryProcess


@pytest.fixture(autouse=True)
def _unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known from another test."""
    monkeypatch.setattr(Devices, "_known", [])
    monkeypatch.setattr(Devices, "_waiting", [])


def ask(host: Any) -> list[dict[str, Any]]:
    answers: list[list[dict[str, Any]]] = []
    Devices.queryDevices(answers.append)
    host.wait_until(lambda: answers, 60)
    return answers[0]


def test_the_processor_is_always_there_and_asked_for_once(host: Any) -> None:
    devices = ask(host)
    assert devices[-1]["name"] == "cpu"
    assert "threads" in devices[-1]["title"]
    answers: list[list[dict[str, Any]]] = []
    Devices.queryDevices(answers.append)
    assert answers == [devices]


def test_asked_again_before_the_answer_one_process_answers_all(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[object] = []

    class Counted(LibraryProcess.LibraryProcess):
        def start(self, arguments: Any) -> None:
            started.append(arguments)
            super().start(arguments)

    monkeypatch.setattr(Devices, "LibraryProcess", Counted)
    answers: list[object] = []
    for _ in range(3):
        Devices.queryDevices(answers.append)
    host.wait_until(lambda: len(answers) == 3, 60)
    assert len(started) == 1


def test_without_an_answer_there_are_no_devices_and_it_is_asked_again(
    host: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(LibraryProcess, "pythonExecutable", lambda: str(tmp_path / "none"))
    assert ask(host) == []
    assert Devices._known == []
