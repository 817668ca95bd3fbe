"""Archives are extracted completely, and nothing outside of their folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from GenSegLib.data.archives import extract_tar
from GenSegLib.errors import GenSegError


def _pack(path: Path, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> None:
    with tarfile.open(path, "w") as tar:
        good = tarfile.TarInfo("good.txt")
        tar.addfile(good)
        entry = tarfile.TarInfo(name)
        entry.type, entry.size, entry.linkname = kind, len(data), "/etc/passwd"
        tar.addfile(entry, io.BytesIO(data))


def test_resource_forks_are_skipped(tmp_path):
    _pack(tmp_path / "a.tar", "images/._a.nii.gz", b"resource fork")
    extract_tar(tmp_path / "a.tar", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["good.txt"]


@pytest.mark.parametrize("python", ["new", "before 3.9.17"])
@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt"])
def test_an_entry_outside_the_folder_is_refused(tmp_path, monkeypatch, name, python):
    if python != "new":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    _pack(tmp_path / "a.tar", name, b"evil")
    with pytest.raises(GenSegError, match="not a valid tar archive"):
        extract_tar(tmp_path / "a.tar", tmp_path / "out")
    assert not list(tmp_path.rglob("evil.txt"))


def test_an_archive_that_declares_more_than_its_size_is_refused(tmp_path):
    header = tarfile.TarInfo("bomb")
    header.type, header.size = tarfile.GNUTYPE_SPARSE, 512
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"%011o\0%011o\0" % (0, 512)  # a single block of data
    block[483:495] = b"%011o\0" % (1 << 32)  # in a file of 4 GB
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
    (tmp_path / "a.tar").write_bytes(bytes(block) + bytes(512 * 3))
    with pytest.raises(GenSegError, match="more content than the archive's size"):
        extract_tar(tmp_path / "a.tar", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_a_compressed_archive_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("good.txt"))
    with pytest.raises(GenSegError, match="not a valid tar archive"):
        extract_tar(tmp_path / "a.tar", tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    _pack(tmp_path / "a.tar", "link", kind=kind)
    with pytest.raises(GenSegError, match="not a valid tar archive"):
        extract_tar(tmp_path / "a.tar", tmp_path / "out")


def test_a_truncated_archive_is_refused(tmp_path):
    _pack(tmp_path / "whole.tar", "data.bin", bytes(10_000))
    (tmp_path / "a.tar").write_bytes((tmp_path / "whole.tar").read_bytes()[:5_000])
    with pytest.raises(GenSegError, match="not a valid tar archive"):
        extract_tar(tmp_path / "a.tar", tmp_path / "out")
