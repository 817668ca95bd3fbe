"""Commands of the library in a separate process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_library import fake_library
from GenSegSlicerLib import LibraryProcess as Module
from GenSegSlicerLib.LibraryProcess import LibraryProcess

from GenSegLib.events import to_line
from GenSegLib.run_lock import process_start


class Followed:
    """A process with its events and results."""

    def __init__(self, host: Any, arguments: list[object]) -> None:
        self.host = host
        self.events: list[dict[str, Any]] = []
        self.ends: list[tuple[int, str]] = []
        self.process = LibraryProcess()
        self.process.onEvent = self.events.append
        self.process.onFinished = lambda code, message: self.ends.append((code, message))
        self.process.start(arguments)

    def wait(self) -> tuple[int, str]:
        self.host.wait_until(lambda: self.ends, 60)
        self.host.process_events()
        assert len(self.ends) == 1
        return self.ends[0]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Replaces GenSegLib by a script."""
    return fake_library(Module, tmp_path, monkeypatch)


def test_command_runs_in_a_folder_with_special_characters(host: Any, tmp_path: Path) -> None:
    folder = tmp_path / "Fälle 海馬 ' $(x)"
    followed = Followed(host, ["phantom", folder, "--cases", 1])
    assert followed.process.isRunning
    assert followed.wait() == (0, "")
    assert not followed.process.isRunning
    assert list((folder / "imagesTr").iterdir())


def test_error_is_the_one_line_of_the_library(host: Any, tmp_path: Path) -> None:
    missing = tmp_path / "nöwhere"
    followed = Followed(host, ["check", missing])
    code, message = followed.wait()
    assert code == 2
    assert str(missing) in message
    assert "\n" not in message
    assert not message.startswith("genseg")


def test_bug_is_one_line_with_traceback_in_details(host: Any, library: Any) -> None:
    library("raise ZeroDivisionError('über')")
    followed = Followed(host, [])
    code, message = followed.wait()
    assert code == 1
    assert "exit code 1" in message
    assert "ZeroDivisionError: über" in followed.process.details


def test_events_are_received_in_chunks_between_invalid_lines(host: Any, library: Any) -> None:
    line = to_line({"time": 1.0, "kind": "log", "text": "Größe", "level": "info"})
    library(
        "import sys, time\n"
        f"line = {line.encode()!r} + b'\\n'\n"
        "for piece in (b'\\xff\\xfe\\n', line[:45], line[45:], line[:-1]):\n"
        "    sys.stdout.buffer.write(piece); sys.stdout.buffer.flush(); time.sleep(0.05)\n"
    )
    followed = Followed(host, [])
    assert followed.wait() == (0, "")
    assert [event["text"] for event in followed.events] == ["Größe", "Größe"]
    assert followed.process.output == "\ufffd\ufffd"


def test_crash_is_explained(host: Any, library: Any) -> None:
    library("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    code, message = Followed(host, []).wait()
    assert code != 0
    assert "SIGSEGV" in message


def test_kill_ends_child_processes(host: Any, library: Any, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers"
    library(
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(numbers)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} ')\n"
        "time.sleep(600)\n"
    )
    followed = Followed(host, [])
    host.wait_until(lambda: numbers.exists() and numbers.read_text().endswith(" "))
    followed.process.kill()
    assert followed.wait()[0] != 0
    pids = [int(text) for text in numbers.read_text().split()]
    host.wait_until(lambda: not any(map(is_alive, pids)))


def test_missing_executable_is_reported(
    host: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Module, "pythonExecutable", lambda: str(tmp_path / "no Python"))
    followed = Followed(host, ["devices"])
    code, message = followed.wait()
    assert code != 0
    assert "no Python cannot be started" in message


@pytest.mark.skipif("PythonQt" in sys.modules, reason="a running Slicer must not quit")
def test_process_is_killed_when_slicer_quits(host: Any, library: Any) -> None:
    library("import time; time.sleep(600)")
    followed = Followed(host, [])
    host.wait_until(lambda: followed.process._process.processId())
    host.app.aboutToQuit.emit()
    assert followed.wait()[0] != 0


def is_alive(pid: int) -> bool:
    if os.name == "posix" and Path("/proc").is_dir():
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    return process_start(pid) is not None
