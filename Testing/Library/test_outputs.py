"""Output folders: never in the place of something that GenSeg did not write."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from GenSegLib.errors import GenSegError
from GenSegLib.outputs import MARK, mark, output_folder


def write_output(path: Path, text: str, overwrite: bool = False) -> None:
    with output_folder(path, overwrite) as folder:
        (folder / "a.txt").write_text(text)


def read_output(path: Path) -> str:
    return (path / "a.txt").read_text(encoding="utf-8")


def test_an_output_that_exists_is_refused(tmp_path: Path) -> None:
    write_output(tmp_path / "out", "old")
    with pytest.raises(GenSegError, match=r"exists already; .* add --overwrite"):
        write_output(tmp_path / "out", "new")
    assert read_output(tmp_path / "out") == "old"


def test_overwrite_replaces_an_earlier_output(tmp_path: Path) -> None:
    write_output(tmp_path / "out", "old")
    write_output(tmp_path / "out", "new", overwrite=True)
    assert read_output(tmp_path / "out") == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_overwrite_keeps_the_earlier_output_when_the_new_one_fails(tmp_path: Path) -> None:
    write_output(tmp_path / "out", "old")
    with pytest.raises(RuntimeError), output_folder(tmp_path / "out", overwrite=True):
        raise RuntimeError
    assert read_output(tmp_path / "out") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_overwrite_never_touches_a_folder_that_genseg_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("mine")
    with pytest.raises(GenSegError, match="was not made by genseg"):
        write_output(tmp_path / "photos", "new", overwrite=True)
    assert read_output(tmp_path / "photos") == "mine"


def test_overwrite_never_touches_what_a_user_put_into_an_output(tmp_path: Path) -> None:
    write_output(tmp_path / "out", "old")
    (tmp_path / "out" / "thesis.docx").write_text("mine")
    with pytest.raises(GenSegError, match=r"holds thesis\.docx, which genseg did not write"):
        write_output(tmp_path / "out", "new", overwrite=True)
    assert (tmp_path / "out" / "thesis.docx").read_text(encoding="utf-8") == "mine"


def test_overwrite_does_not_follow_a_link(tmp_path: Path) -> None:
    write_output(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    with pytest.raises(GenSegError, match="is left alone"):
        write_output(tmp_path / "link", "new", overwrite=True)
    assert read_output(tmp_path / "real") == "old"


def test_what_a_file_browser_leaves_behind_is_no_obstacle(tmp_path: Path) -> None:
    write_output(tmp_path / "out", "old")
    (tmp_path / "out" / ".DS_Store").write_text("")
    write_output(tmp_path / "out", "new", overwrite=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [MARK, "a.txt"]


def test_overwrite_never_touches_what_a_user_put_deep_into_an_output(tmp_path: Path) -> None:
    with output_folder(tmp_path / "out") as folder:
        (folder / "maps").mkdir()
        (folder / "maps" / "a[1].txt").write_text("old")
    (tmp_path / "out" / "maps" / "thesis.docx").write_text("mine")
    with pytest.raises(GenSegError, match=r"holds maps/thesis\.docx"):
        write_output(tmp_path / "out", "new", overwrite=True)
    (tmp_path / "out" / "maps" / "thesis.docx").unlink()
    write_output(tmp_path / "out", "new", overwrite=True)
    assert read_output(tmp_path / "out") == "new"


def test_a_folder_that_was_marked_as_a_whole_is_replaced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "out" / "maps").mkdir(parents=True)
    (tmp_path / "out" / "maps" / "a.txt").write_text("old")
    mark(tmp_path / "out", ["maps"])
    write_output(tmp_path / "out", "new", overwrite=True)
    assert read_output(tmp_path / "out") == "new"


def test_overwrite_keeps_the_new_output_where_the_older_one_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_output(tmp_path / "out", "old")

    def refused(*arguments: object, **at: object) -> None:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "unlink", refused)
    write_output(tmp_path / "out", "new", overwrite=True)
    assert read_output(tmp_path / "out") == "new"


def test_overwrite_keeps_the_older_output_where_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_output(tmp_path / "out", "old")

    def replace(path: Path, target: Path) -> None:
        if path.is_dir():
            raise PermissionError(errno.EACCES, "denied")
        os.rename(path, target)  # noqa: PTH104 - Path.replace is what is taken away

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(GenSegError, match="cannot be written"):
        write_output(tmp_path / "out", "new", overwrite=True)
    assert read_output(tmp_path / "out") == "old"


@pytest.mark.parametrize("out", [".", "link"])
def test_what_cannot_be_renamed_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("nowhere")
    with pytest.raises(GenSegError), output_folder(Path(out)):
        pytest.fail("the block must not be entered")
