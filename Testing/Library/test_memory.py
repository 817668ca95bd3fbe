"""Amounts of memory, and the memory that is available to this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from GenSegLib.computing import memory
from GenSegLib.computing.memory import (
    available_bytes,
    default_memory_limit,
    format_memory,
    parse_memory,
    resident_bytes,
)
from GenSegLib.errors import GenSegError
from Testing.imports import ROOT

GIB = 1 << 30
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and /sys")


@pytest.mark.parametrize(
    ("text", "amount"), [("4G", 4 * GIB), ("1.5 GiB", 3 * GIB // 2), ("512m", 1 << 29), ("99", 99)]
)
def test_amounts_are_parsed(text: str, amount: int) -> None:
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["", "0", "-4G", "4X", "4 apples", "nan"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(GenSegError, match="not an amount of memory; use a form such as 4G"):
        parse_memory(text)


def test_amounts_are_formatted() -> None:
    assert format_memory(3.25 * GIB) == "3.2 GB"
    assert format_memory(250 << 20) == "250 MB"
    assert format_memory(-1) == "0 MB"


def test_the_default_limit_leaves_some_of_the_available_memory() -> None:
    assert available_bytes() > 1 << 20
    assert 0 < resident_bytes() <= default_memory_limit()
    assert default_memory_limit() <= resident_bytes() + 2 * available_bytes()


@linux
@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_resource_limits_count(limit: str) -> None:
    program = (
        "import resource; from GenSegLib.computing.memory import available_bytes; "
        f"resource.setrlimit(resource.{limit}, (1 << 30, 1 << 30)); print(available_bytes())"
    )
    found = subprocess.check_output([sys.executable, "-c", program], text=True, cwd=ROOT)
    assert 0 < int(found) < GIB


@pytest.fixture()
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "_OWN_CGROUPS", tmp_path / "cgroup")
    return tmp_path


def write_group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("memory_", "memory.")).write_text(text)


@linux
@pytest.mark.parametrize("tightest", ["batch/job", "batch"])
def test_the_tightest_control_group_counts(cgroups: Path, tightest: str) -> None:
    (cgroups / "cgroup").write_text("0::/batch/job\n")
    for group in ("batch", "batch/job"):
        write_group(
            cgroups / "groups" / group,
            memory_max="1000000\n" if group == tightest else "max\n",
            memory_current="700000\n",
            memory_stat="anon 5\ninactive_file 100000\n",
        )
    assert available_bytes() == 400_000


@linux
def test_control_groups_of_version_1_count(cgroups: Path) -> None:
    (cgroups / "cgroup").write_text("5:cpu,cpuacct:/a\n9:memory:/slurm/job\n")
    job = cgroups / "groups" / "memory" / "slurm" / "job"
    write_group(
        job,
        memory_limit_in_bytes="1000000\n",
        memory_usage_in_bytes="300000\n",
        memory_stat="total_inactive_file 50000\n",
    )
    write_group(job.parent, memory_limit_in_bytes=f"{(1 << 63) - 4096}\n")
    assert available_bytes() == 750_000
