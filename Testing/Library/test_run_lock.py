"""The run lock: suspended machines, wrong clocks, reused process IDs."""

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
from GenSegLib.run_lock import RunLock, pid_namespace, process_start

DAY_S = 86_400.0


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def short_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch locks of other machines only for an instant."""
    monkeypatch.setattr(run_lock, "WATCH_S", 0.02)
    monkeypatch.setattr(run_lock, "POLL_S", 0.001)


def write(lock: Path, touched_s: float = 0.0, **owner: Any) -> None:
    """Write the lock of another process, touched so many seconds from now."""
    here = {"process": os.getpid(), "start": process_start(os.getpid()), "token": "x"}
    here |= {"host": socket.gethostname(), "space": pid_namespace()}
    lock.write_text(json.dumps(here | owner), encoding="utf-8")
    os.utime(lock, (time.time() + touched_s,) * 2)


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_a_living_process_keeps_its_lock_through_suspends_and_clock_changes(
    lock: Path, jump_s: float
) -> None:
    with RunLock(lock) as held:
        os.utime(lock, (time.time() + jump_s,) * 2)
        assert held.is_held()
        with pytest.raises(GenSegError, match="is being trained by process"), RunLock(lock):
            pytest.fail("the process exists")


def test_a_reused_process_id_does_not_hold_the_lock(lock: Path) -> None:
    write(lock, start=1.0)
    with RunLock(lock) as held:
        held.require_held()


@pytest.mark.parametrize("start", [None, "boot-id 12345"])
def test_a_lock_of_an_earlier_version_is_valid_while_it_is_touched(lock: Path, start: Any) -> None:
    write(lock, start=start)
    assert RunLock(lock).is_held()
    write(lock, start=start, touched_s=-DAY_S)
    assert not RunLock(lock).is_held()


def test_without_psutil_a_lock_is_valid_while_it_is_touched(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lock)
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert RunLock(lock).is_held()


def test_a_container_with_the_same_host_name_is_another_machine(lock: Path) -> None:
    write(lock, space="pid:[1]", start=1.0)
    with pytest.raises(GenSegError, match="is being trained"), RunLock(lock):
        pytest.fail("it was touched just now")


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_another_machine_with_a_wrong_clock_keeps_its_lock_while_it_touches_it(
    lock: Path, jump_s: float, short_watch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lock, jump_s, host="another-machine")
    heartbeat = (time.time() + jump_s + 10,) * 2
    monkeypatch.setattr("time.sleep", lambda seconds: os.utime(lock, heartbeat))
    with pytest.raises(GenSegError, match="on another-machine"), RunLock(lock):
        pytest.fail("it is touched")


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_the_lock_of_a_crashed_machine_is_taken_over_after_watching_it(
    lock: Path, jump_s: float, short_watch: None
) -> None:
    write(lock, jump_s, host="another-machine")
    logged: list[str] = []
    with RunLock(lock, logged.append) as held:
        held.require_held()
    assert ["belongs to another machine and looks stale" in text for text in logged] == [True]


def test_a_lock_emptied_by_a_power_failure_is_taken_over(lock: Path, short_watch: None) -> None:
    lock.write_bytes(bytes(40))
    os.utime(lock, (time.time() - DAY_S,) * 2)
    with RunLock(lock) as held:
        held.require_held()


def test_a_process_is_identified_by_its_start_until_it_ends() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_start(process.pid)
    assert start is not None
    assert process_start(process.pid) == pytest.approx(start, abs=1.5)
    process.communicate(b"\n")
    assert process_start(process.pid) is None
    assert process_start(2**40) is None


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has zombie processes")
def test_a_zombie_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process_start(process.pid) is None
    process.communicate()
