from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from GenSegLib.computing import memory
from GenSegLib.computing.memory import (
    default_limit,
    describe_memory,
    free_memory,
    parse_memory,
    resident,
)
from GenSegLib.errors import GenSegError

GIB = 1 << 30
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux tells in /proc")


@pytest.mark.parametrize(
    ("text", "amount"),
    [("4G", 4 * GIB), ("4GB", 4 * GIB), ("1.5 GiB", 3 * GIB // 2), ("512m", 1 << 29), ("99", 99)],
)
def test_amounts_are_read_as_people_write_them(text: str, amount: int) -> None:
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["", "0", "-4G", "4X", "G", "4 apples", "nan"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(GenSegError, match="no amount of memory; write it such as 4G"):
        parse_memory(text)


def test_amounts_are_told_as_people_say_them() -> None:
    assert describe_memory(3.25 * GIB) == "3.2 GB"
    assert describe_memory(250 << 20) == "250 MB"
    assert describe_memory(-1) == "0 MB"


def test_some_memory_is_free_and_the_default_leaves_a_part_of_it() -> None:
    assert free_memory() > 1 << 20
    assert resident() <= default_limit() <= resident() + 2 * free_memory()


@linux
@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_a_limit_of_the_process_counts(limit: str) -> None:
    program = (
        "import resource; from GenSegLib.computing.memory import free_memory; "
        f"resource.setrlimit(resource.{limit}, (1 << 30, 1 << 30)); print(free_memory())"
    )
    found = subprocess.check_output([sys.executable, "-c", program], text=True, cwd=_root())
    assert 0 < int(found) < GIB


def _root() -> Path:
    return Path(__file__).resolve().parents[2]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@linux
@pytest.mark.parametrize("tight", ["batch/job", "batch"])
def test_the_tightest_control_group_around_the_process_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tight: str
) -> None:
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "_PROCESS", tmp_path / "process")
    write(tmp_path / "process" / "cgroup", "0::/batch/job\n")
    for folder in ("batch", "batch/job"):
        most = "1000000" if folder == tight else "max"
        write(tmp_path / "groups" / folder / "memory.max", f"{most}\n")
        write(tmp_path / "groups" / folder / "memory.current", "700000\n")
        write(tmp_path / "groups" / folder / "memory.stat", "anon 5\ninactive_file 100000\n")
    assert free_memory() == 400_000


@linux
def test_control_groups_of_version_1_count_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "_PROCESS", tmp_path / "process")
    write(tmp_path / "process" / "cgroup", "5:cpu,cpuacct:/a\n9:memory:/slurm/job\n")
    job = tmp_path / "groups" / "memory" / "slurm" / "job"
    write(job / "memory.limit_in_bytes", "1000000\n")
    write(job / "memory.usage_in_bytes", "300000\n")
    write(job / "memory.stat", "total_inactive_file 50000\n")
    write(job.parent / "memory.limit_in_bytes", f"{(1 << 63) - 4096}\n")
    assert free_memory() == 750_000


def test_a_system_that_tells_nothing_is_taken_to_have_4_gb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_PROCESS", tmp_path)
    monkeypatch.setattr(memory, "_of_the_system", lambda: iter(()))
    monkeypatch.setattr(memory, "_of_the_limits", lambda: iter(()))
    assert free_memory() == 4 * GIB
    assert resident() == 0


def test_the_page_count_stands_in_where_there_is_no_proc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(os, "sysconf"):
        pytest.skip("this system has no sysconf")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "absent")
    assert free_memory() > 1 << 20
