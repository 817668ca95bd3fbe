"""Files that are whole or not there."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from GenSegLib.errors import GenSegError
from GenSegLib.files import append_line, atomic_folder, read_json, write_bytes, write_json


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_written_file_holds_what_was_written_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write_json(tmp_path / "deep" / "a.json", {"name": "Höhle", "size": 1.5})
    assert read_json(tmp_path / "deep" / "a.json") == {"name": "Höhle", "size": 1.5}
    assert names(tmp_path / "deep") == ["a.json"]


def test_a_written_file_may_be_read_by_whom_the_system_lets(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_bytes(tmp_path / "atomic", b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "atomic")}
    assert len(modes) == 1


def test_a_full_disk_is_told_with_the_path_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "status.json"
    write_json(path, {"step": 1})
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(GenSegError, match=r"status\.json cannot be written: the disk is full"):
        write_json(path, {"step": 2})
    assert read_json(path) == {"step": 1}
    assert names(tmp_path) == ["status.json"]


def test_a_really_full_disk_is_told_too() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full, the device that is always full")
    with pytest.raises(GenSegError, match="the disk is full; make room"):
        append_line(Path("/dev/full"), "{}")


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(GenSegError, match="a part of the path is a file"):
        write_bytes(tmp_path / "taken" / "a.json", b"")


def test_nan_is_refused_since_other_programs_cannot_read_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "fault"),
    [('{"step": 1', "is not valid JSON"), ("[1]", "must hold a JSON object")],
)
def test_reading_broken_json_names_the_file(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(GenSegError, match=rf"a\.json {fault}"):
        read_json(tmp_path / "a.json")


def test_reading_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="does not exist"):
        read_json(tmp_path / "a.json")


def test_a_line_that_a_crash_cut_is_ended_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b"')
    append_line(path, '{"c": 3}')
    append_line(path, '{"d": 4}')
    assert path.read_text(encoding="utf-8").splitlines() == [
        '{"a": 1}',
        '{"b"',
        '{"c": 3}',
        '{"d": 4}',
    ]


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with atomic_folder(out) as folder:
        (folder / "a.txt").write_text("a")
        assert not out.exists()
    assert names(tmp_path) == ["out"]
    assert names(out) == ["a.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
    assert names(tmp_path / "out") == ["a.txt"]


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
        raise RuntimeError
    assert names(tmp_path) == []


def test_a_folder_in_use_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(GenSegError, match="exists already"), atomic_folder(tmp_path / "out"):
        pytest.fail("the block must not be entered")
    assert names(tmp_path) == ["out"]


def test_a_disk_that_fills_up_in_the_block_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(GenSegError, match="out cannot be written: the disk is full"),
        atomic_folder(tmp_path / "out"),
    ):
        full_disk()
    assert names(tmp_path) == []
