"""A process is ended with all that it started."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from GenSegSlicerLib import ProcessTree
from GenSegSlicerLib.Library import pythonExecutable

from GenSegLib.run_lock import process_start

# A launcher that starts a child that starts a grandchild; each tells its number.
TREE = """
import subprocess, sys, time
depth = int(sys.argv[2])
print(depth, flush=True)
import os
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
if depth:
    subprocess.Popen([sys.executable, __file__, sys.argv[1], str(depth - 1)])
while True:
    time.sleep(60)
"""


@pytest.fixture
def tree(tmp_path: Path, host: Any) -> Iterator[tuple[subprocess.Popen, list[int]]]:
    """A process with a child and a grandchild, and the numbers of all three."""
    script, numbers = tmp_path / "tree.py", tmp_path / "numbers"
    script.write_text(TREE)
    root = subprocess.Popen(
        [pythonExecutable(), str(script), str(numbers), "2"], stdout=subprocess.PIPE
    )
    assert root.stdout is not None
    for _ in range(3):
        root.stdout.readline()
    host.wait_until(lambda: len(numbers.read_text().split()) == 3)
    pids = [int(text) for text in numbers.read_text().split()]
    yield root, pids
    for pid in pids:
        ProcessTree.killProcessTree(pid)
    root.wait(10)
    root.stdout.close()


def is_gone(pid: int) -> bool:
    """Ended, also where its parent has not looked yet."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return process_start(pid) is None
    return text.rpartition(")")[2].split()[0] == "Z"


@pytest.mark.skipif(sys.platform == "win32", reason="looks at the processes as POSIX shows them")
def test_the_launcher_and_all_below_it_are_ended(
    tree: tuple[subprocess.Popen, list[int]], host: Any
) -> None:
    root, pids = tree
    ProcessTree.killProcessTree(root.pid)
    root.wait(10)
    host.wait_until(lambda: all(map(is_gone, pids)))


@pytest.mark.skipif(sys.platform == "win32", reason="ps is there on POSIX only")
def test_as_on_macos_the_tree_is_found_by_ps(
    tree: tuple[subprocess.Popen, list[int]], monkeypatch: pytest.MonkeyPatch, host: Any
) -> None:
    root, pids = tree
    monkeypatch.setattr(sys, "platform", "darwin")
    parent_of = ProcessTree._parents()
    assert [parent_of[pid] for pid in pids] == [os.getpid(), *pids[:2]]
    ProcessTree.killProcessTree(root.pid)
    root.wait(10)
    host.wait_until(lambda: all(map(is_gone, pids)))


def test_as_on_windows_the_system_is_asked_to_end_the_tree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: asked.append(command))
    ProcessTree.killProcessTree(4711)
    assert [command[1:] for command in asked] == [["/F", "/T", "/PID", "4711"]]
    assert asked[0][0].endswith("taskkill.exe")
    assert len(asked[0][0]) > len("taskkill.exe"), "none that lies about in the working folder"


@pytest.mark.parametrize("pid", [0, -1, os.getpid()], ids=["0", "-1", "own"])
def test_neither_this_process_nor_a_group_is_ever_ended(pid: int) -> None:
    ProcessTree.killProcessTree(pid)


def test_a_process_that_is_gone_is_no_fault() -> None:
    ended = subprocess.Popen([pythonExecutable(), "-c", ""])
    ended.wait(10)
    ProcessTree.killProcessTree(ended.pid)
