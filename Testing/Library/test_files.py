"""Atomic files and folders, and output folders that never overwrite files of others."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from GenSegLib.errors import GenSegError
from GenSegLib.files import append_line, atomic_folder, read_json, write_bytes, write_json
from GenSegLib.outputs import MARKER, ResultFolder, output_folder, write_marker


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def write_output(path: Path, text: str, overwrite: bool = False) -> None:
    with output_folder(path, overwrite) as folder:
        (folder / "a.txt").write_text(text)


def read_output(path: Path) -> str:
    return (path / "a.txt").read_text(encoding="utf-8")


def test_a_file_is_written_completely_and_nothing_else(tmp_path: Path) -> None:
    write_json(tmp_path / "deep" / "a.json", {"name": "Höhle", "size": 1.5})
    assert read_json(tmp_path / "deep" / "a.json") == {"name": "Höhle", "size": 1.5}
    assert names(tmp_path / "deep") == ["a.json"]


def test_a_written_file_has_default_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_bytes(tmp_path / "atomic", b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "atomic")}
    assert len(modes) == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "your disk quota is used up"),
        (errno.EIO, "the drive does not respond"),
    ],
)
def test_a_failed_write_is_reported_and_the_old_file_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    path = tmp_path / "status.json"
    write_json(path, {"step": 1})
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(GenSegError, match=rf"status\.json cannot be written: {reason}"):
        write_json(path, {"step": 2})
    assert read_json(path) == {"step": 1}
    assert names(tmp_path) == ["status.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_device_is_reported() -> None:
    with pytest.raises(GenSegError, match="the disk is full; free some space"):
        append_line(Path("/dev/full"), "{}")


def test_a_file_in_place_of_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(GenSegError, match="part of the path is a file"):
        write_bytes(tmp_path / "taken" / "a.json", b"")


def test_nan_is_rejected_since_other_programs_cannot_read_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ('{"step": 1', "is not valid JSON"),
        ("[1]", "must contain a JSON object"),
        (None, "does not exist"),
    ],
)
def test_an_unreadable_json_file_is_named(tmp_path: Path, content: str | None, error: str) -> None:
    if content is not None:
        (tmp_path / "a.json").write_text(content)
    with pytest.raises(GenSegError, match=rf"a\.json {error}"):
        read_json(tmp_path / "a.json")


def test_a_line_truncated_by_a_crash_is_terminated_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b"')
    append_line(path, '{"c": 3}')
    append_line(path, '{"d": 4}')
    assert path.read_text().splitlines() == ['{"a": 1}', '{"b"', '{"c": 3}', '{"d": 4}']


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
        assert names(tmp_path / "out") == []
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["a.txt"]


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "out") as folder:
        (folder / "a.txt").write_text("a")
        raise RuntimeError
    with pytest.raises(GenSegError, match="the disk is full"), atomic_folder(tmp_path / "out"):
        full_disk()
    assert names(tmp_path) == []


def test_an_output_that_exists_is_rejected(tmp_path: Path) -> None:
    write_output(tmp_path / "out", "old")
    with pytest.raises(GenSegError, match=r"already exists; .* add --overwrite"):
        write_output(tmp_path / "out", "new")
    assert read_output(tmp_path / "out") == "old"


def test_overwrite_replaces_an_earlier_output(tmp_path: Path) -> None:
    write_output(tmp_path / "out", "old")
    (tmp_path / "out" / ".DS_Store").write_text("")
    write_output(tmp_path / "out", "new", overwrite=True)
    assert read_output(tmp_path / "out") == "new"
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == [MARKER, "a.txt"]


def test_overwrite_keeps_the_earlier_output_when_the_new_one_fails(tmp_path: Path) -> None:
    write_output(tmp_path / "out", "old")
    with pytest.raises(RuntimeError), output_folder(tmp_path / "out", overwrite=True):
        raise RuntimeError
    assert read_output(tmp_path / "out") == "old"
    assert names(tmp_path) == ["out"]


def add_result(folder: ResultFolder, name: str) -> None:
    with folder.result() as result:
        (result / "maps").mkdir()
        for path in (result / name, result / "maps" / name):
            path.write_text(name)


def test_results_appear_one_by_one_each_of_them_complete(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path / "out")
    assert names(tmp_path) == []
    add_result(folder, "a")
    with pytest.raises(RuntimeError), folder.result() as result:
        (result / "broken").touch()
        raise RuntimeError
    add_result(folder, "b")
    assert names(tmp_path / "out") == [MARKER, "a", "b", "maps"]
    assert names(tmp_path / "out" / "maps") == ["a", "b"]
    assert names(tmp_path) == ["out"]
    add_result(ResultFolder(tmp_path / "out", overwrite=True), "c")
    assert names(tmp_path / "out") == [MARKER, "c", "maps"], "all of it was GenSeg's"


def test_an_earlier_output_stays_until_there_is_a_result(tmp_path: Path) -> None:
    write_output(tmp_path / "out", "old")
    with pytest.raises(GenSegError, match="already exists"):
        ResultFolder(tmp_path / "out")
    with pytest.raises(RuntimeError), ResultFolder(tmp_path / "out", overwrite=True).result():
        raise RuntimeError
    assert read_output(tmp_path / "out") == "old"


def test_a_full_disk_ends_the_results_and_keeps_the_finished_ones(tmp_path: Path) -> None:
    folder = ResultFolder(tmp_path / "out")
    add_result(folder, "a")
    with pytest.raises(GenSegError, match="the disk is full"), folder.result():
        full_disk()
    assert names(tmp_path / "out") == [MARKER, "a", "maps"]


def test_overwrite_rejects_a_folder_that_genseg_did_not_write(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("mine")
    with pytest.raises(GenSegError, match="was not written by genseg"):
        write_output(tmp_path / "photos", "new", overwrite=True)
    assert read_output(tmp_path / "photos") == "mine"


@pytest.mark.parametrize("name", ["thesis.docx", "maps/thesis.docx"])
def test_overwrite_rejects_an_output_with_files_of_the_user(tmp_path: Path, name: str) -> None:
    with output_folder(tmp_path / "out") as folder:
        (folder / "maps").mkdir()
        (folder / "maps" / "a[1].txt").write_text("old")
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(GenSegError, match=rf"contains {name}, which genseg did not write"):
        write_output(tmp_path / "out", "new", overwrite=True)
    (tmp_path / "out" / name).unlink()
    write_output(tmp_path / "out", "new", overwrite=True)
    assert read_output(tmp_path / "out") == "new"


def test_a_folder_that_was_marked_as_a_whole_is_replaced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "out" / "maps").mkdir(parents=True)
    (tmp_path / "out" / "maps" / "a.txt").write_text("old")
    write_marker(tmp_path / "out", ["maps"])
    write_output(tmp_path / "out", "new", overwrite=True)
    assert read_output(tmp_path / "out") == "new"


def test_overwrite_succeeds_if_the_earlier_output_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_output(tmp_path / "out", "old")

    def refuse(*arguments: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "unlink", refuse)
    write_output(tmp_path / "out", "new", overwrite=True)
    assert read_output(tmp_path / "out") == "new"


def test_overwrite_restores_the_earlier_output_if_the_new_one_cannot_be_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_output(tmp_path / "out", "old")

    def replace(path: Path, target: Path) -> None:
        if path.is_dir():
            raise PermissionError(errno.EACCES, "denied")
        os.rename(path, target)  # noqa: PTH104 - Path.replace is patched

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(GenSegError, match="cannot be written"):
        write_output(tmp_path / "out", "new", overwrite=True)
    assert read_output(tmp_path / "out") == "old"


@pytest.mark.parametrize("out", [".", "link", "file"])
def test_paths_that_cannot_be_replaced_are_rejected_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_output(tmp_path / "real", "old")
    Path("link").symlink_to("real", target_is_directory=True)
    Path("file").write_text("mine")
    with pytest.raises(GenSegError), output_folder(Path(out), overwrite=True):
        pytest.fail("the block must not be entered")
    assert read_output(tmp_path / "real") == "old"
