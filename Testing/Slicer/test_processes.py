"""Processes are killed with all their descendants; what their exit means."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from GenSegSlicerLib.Library import pythonExecutable
from GenSegSlicerLib.Processes import (
    describeExit,
    killProcessTree,
    lastErrorLine,
    restorePriority,
)

# A launcher that starts a child, which starts a grandchild; each writes its process ID.
TREE = """
import os, subprocess, sys, time
depth = int(sys.argv[2])
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
if depth:
    subprocess.Popen([sys.executable, __file__, sys.argv[1], str(depth - 1)])
while True:
    time.sleep(60)
"""


@pytest.fixture
def tree(tmp_path: Path, host: Any) -> Iterator[list[int]]:
    """The process IDs of a process, its child and its grandchild."""
    script, written = tmp_path / "tree.py", tmp_path / "pids"
    script.write_text(TREE)
    written.touch()
    root = subprocess.Popen([pythonExecutable(), str(script), str(written), "2"])
    host.wait_until(lambda: written.read_text().count("\n") == 3)
    pids = [int(text) for text in written.read_text().split()]
    yield pids
    for pid in pids:
        killProcessTree(pid)
    root.wait(10)


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_process_is_killed_with_its_descendants(tree: list[int], host: Any) -> None:
    killProcessTree(tree[0])
    host.wait_until(lambda: all(map(has_ended, tree)))


def test_without_psutil_only_the_process_is_killed(
    tree: list[int], host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "psutil", None)
        killProcessTree(tree[0])
    host.wait_until(lambda: has_ended(tree[0]))
    assert not has_ended(tree[1])


@pytest.mark.parametrize("pid", [0, -1, os.getpid()], ids=["0", "-1", "own"])
def test_this_process_and_process_groups_are_never_killed(pid: int) -> None:
    killProcessTree(pid)


def test_a_process_that_has_ended_is_ignored() -> None:
    ended = subprocess.Popen([pythonExecutable(), "-c", ""])
    ended.wait(10)
    killProcessTree(ended.pid)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX priorities")
def test_a_process_gets_normal_priority_where_that_is_allowed() -> None:
    started = subprocess.Popen(
        [pythonExecutable(), "-c", "import time; time.sleep(60)"],
        preexec_fn=lambda: os.setpriority(os.PRIO_PROCESS, 0, 19),
    )
    try:
        restorePriority(started.pid)
        allowed = os.geteuid() == 0
        assert os.getpriority(os.PRIO_PROCESS, started.pid) == (0 if allowed else 19)
    finally:
        started.kill()
        started.wait(10)


def test_the_last_error_line_of_the_command_line_is_found() -> None:
    text = "genseg: warning: few cases\ngenseg: error: no space left\nTraceback\n"
    assert lastErrorLine(text) == "no space left"
    assert lastErrorLine("Traceback\n") == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("code", "part"), [(-9, "memory ran out"), (-11, "crashed (SIGSEGV)"), (3, "exit code 3")]
)
def test_an_exit_without_an_error_message_is_described(code: int, part: str) -> None:
    assert part in describeExit(code)
