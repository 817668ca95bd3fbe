"""Who holds a run, whatever clocks say, machines do in their sleep, and process numbers come to."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from GenSegLib import run_lock
from GenSegLib.errors import GenSegError
from GenSegLib.processes import _start_by_ps, process_lives, process_space, process_start
from GenSegLib.run_lock import RunLock

DAY_S = 86_400.0
posix = pytest.mark.skipif(os.name != "posix", reason="ps and zombies are there on POSIX only")


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a lock be watched for an instant."""
    monkeypatch.setattr(run_lock, "WATCH_S", 0.02)
    monkeypatch.setattr(run_lock, "LOOK_S", 0.001)


def write(lock: Path, touched_s: float = 0.0, **owner: Any) -> None:
    """Write the lock of another process, touched so many seconds from now."""
    here = {"process": os.getpid(), "start": process_start(os.getpid()), "token": "x"}
    here |= {"host": socket.gethostname(), "space": process_space()}
    lock.write_text(json.dumps(here | owner), encoding="utf-8")
    os.utime(lock, (time.time() + touched_s,) * 2)


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_neither_a_sleep_nor_a_clock_that_jumps_frees_the_lock_of_a_living_process(
    lock: Path, jump_s: float
) -> None:
    with RunLock(lock) as held:
        os.utime(lock, (time.time() + jump_s,) * 2)
        assert held.is_held()
        with pytest.raises(GenSegError, match="is being trained by process"), RunLock(lock):
            pytest.fail("the process is there")


def test_a_number_that_another_process_got_since_holds_nothing(lock: Path) -> None:
    write(lock, start="long ago")
    with RunLock(lock) as held:
        held.require_held()


def test_a_lock_of_an_older_genseg_counts_while_its_process_lives(lock: Path) -> None:
    write(lock, start=None)
    assert RunLock(lock).is_held()
    write(lock, start=None, touched_s=-DAY_S)
    assert not RunLock(lock).is_held()


def test_a_container_of_the_same_name_is_another_machine(lock: Path) -> None:
    write(lock, space="pid:[1]", start="of that container")
    with pytest.raises(GenSegError, match="is being trained"), RunLock(lock):
        pytest.fail("it was touched just now")


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_another_machine_with_a_wrong_clock_keeps_its_lock_while_it_touches_it(
    lock: Path, jump_s: float, briefly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lock, jump_s, host="another-machine")
    beat = (time.time() + jump_s + 10,) * 2
    monkeypatch.setattr("time.sleep", lambda seconds: os.utime(lock, beat))
    with pytest.raises(GenSegError, match="on another-machine"), RunLock(lock):
        pytest.fail("it is touched")


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_the_lock_of_a_dead_machine_is_taken_over_after_a_look_that_is_told(
    lock: Path, jump_s: float, briefly: None
) -> None:
    write(lock, jump_s, host="another-machine")
    told: list[str] = []
    with RunLock(lock, told.append) as held:
        held.require_held()
    assert ["is of another machine and seems old" in text for text in told] == [True]


def test_a_lock_that_a_loss_of_power_emptied_is_taken_over(lock: Path, briefly: None) -> None:
    lock.write_bytes(bytes(40))
    os.utime(lock, (time.time() - DAY_S,) * 2)
    with RunLock(lock) as held:
        held.require_held()


def test_a_process_is_told_from_a_later_one_of_its_number() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_start(process.pid)
    assert start is not None
    assert process_start(process.pid) == start != process_start(os.getpid())
    process.communicate(b"\n")
    assert process_start(process.pid) is None
    assert not process_lives(process.pid)


@posix
def test_a_killed_process_has_ended_also_where_nobody_has_looked_yet() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process_start(process.pid) is None
    process.communicate()


@posix
@pytest.mark.skipif(not Path("/bin/ps").exists(), reason="there is no ps here")
def test_as_on_macos_a_start_is_found_by_ps() -> None:
    assert _start_by_ps(os.getpid()) == _start_by_ps(os.getpid()) != ""
    assert _start_by_ps(2**22 + 1) is None
