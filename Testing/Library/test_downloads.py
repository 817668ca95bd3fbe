"""Downloads from a local server: resumable, verified, safely extracted."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import re
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from GenSegLib.data.downloads import download, extract_tar
from GenSegLib.data.image_io import read_label
from GenSegLib.errors import GenSegError
from GenSegLib.phantoms import make_cases

TASK = "Task04_Hippocampus"


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder; can close connections early, ignore ranges, or redirect."""

    ranges = True
    close_after: int | None = None
    redirect_to: str | None = None
    requests: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{TASK}.tar"


class Handler(http.server.SimpleHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        requested = self.headers.get("Range", "")
        self.server.requests.append(requested)
        if self.server.redirect_to:
            self.send_response(302)
            self.send_header("Location", self.server.redirect_to)
            self.end_headers()
            return
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        first = int(re.findall(r"\d+", requested)[0]) if requested and self.server.ranges else 0
        if first >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.end_headers()
            return
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        self.wfile.write(data[first : self.server.close_after])


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    make_cases(folder / TASK, "hippocampus", cases=2, seed=0, test=1)
    (folder / TASK / "imagesTr" / "._hippocampus_001.nii.gz").write_bytes(b"resource fork")
    path = folder / f"{TASK}.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(folder / TASK, arcname=TASK)
    return path


@pytest.fixture
def server(archive: Path) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), functools.partial(Handler, directory=archive.parent)) as server:
        server.requests = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def md5(archive: Path) -> str:
    return hashlib.md5(archive.read_bytes()).hexdigest()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_task_is_downloaded_verified_and_extracted(server, md5, tmp_path):
    seen: list[tuple[int, int]] = []
    cases = download(
        "hippocampus",
        tmp_path / "data",
        source=server.url,
        md5=md5,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [case.name for case in cases.labeled] == ["hippocampus_001", "hippocampus_002"]
    assert read_label(cases.labeled[0].label).array.max() == 2
    assert names(tmp_path / "data") == [
        "dataset.json", "imagesTr", "imagesTs", "labelsTr", "labelsTs",
    ]  # fmt: skip
    assert names(tmp_path / "data" / "imagesTr") == [
        "hippocampus_001.nii.gz", "hippocampus_002.nii.gz",
    ]  # fmt: skip
    assert names(tmp_path) == ["data"], "the archive is not left behind"
    assert seen[-1][0] == seen[-1][1] > 0


def test_an_interrupted_download_is_resumed(server, md5, tmp_path):
    server.close_after = 100_000
    with pytest.raises(GenSegError, match=r"interrupted after 0.1 MB .*start it again to resume"):
        download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert names(tmp_path) == [f".data.{TASK}.tar.part"]
    server.close_after = None
    download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert server.requests == ["", "bytes=100000-"]
    assert names(tmp_path) == ["data"]


def test_a_server_without_ranges_sends_the_whole_file_again(server, md5, tmp_path):
    server.ranges = False
    (tmp_path / f".data.{TASK}.tar.part").write_bytes(b"x" * 5000)
    download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert names(tmp_path) == ["data"]


def test_a_complete_partial_file_is_not_downloaded_again(server, archive, md5, tmp_path):
    (tmp_path / f".data.{TASK}.tar.part").write_bytes(archive.read_bytes())
    download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert server.requests == [f"bytes={archive.stat().st_size}-"]
    assert names(tmp_path) == ["data"]


def test_a_partial_file_longer_than_the_download_is_discarded(server, archive, md5, tmp_path):
    (tmp_path / f".data.{TASK}.tar.part").write_bytes(b"x" * (archive.stat().st_size + 10))
    download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert names(tmp_path) == ["data"]


def test_a_damaged_download_is_refused_and_removed(server, md5, tmp_path):
    (tmp_path / f".data.{TASK}.tar.part").write_bytes(b"x" * 5000)
    with pytest.raises(GenSegError, match=f"damaged .*instead of {md5}.*download it again"):
        download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert names(tmp_path) == []


def test_an_unreachable_server_is_reported(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(GenSegError, match=r"cannot be reached .*check the internet") as fault:
        download("hippocampus", tmp_path / "data", source=f"http://127.0.0.1:{port}/x.tar")
    assert "\n" not in str(fault.value)
    assert names(tmp_path) == []


def test_an_output_folder_that_cannot_be_created_is_refused(server, md5, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GenSegError, match=r"cannot be written; choose another folder"):
        download("hippocampus", tmp_path / "file" / "data", source=server.url, md5=md5)
    assert names(tmp_path) == ["file"]


def test_the_servers_error_is_reported(server, tmp_path):
    with pytest.raises(GenSegError, match="the server answered 404"):
        download("liver", tmp_path / "data", source=server.url.replace("Task04", "Task99"))
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "address", ["nonsense", "file:///etc/passwd", "ftp://127.0.0.1/a", "http://example.org/a.tar"]
)
def test_insecure_addresses_are_refused(tmp_path, address):
    with pytest.raises(
        GenSegError, match="not a secure web address; use one that starts with https"
    ):
        download("liver", tmp_path / "data", source=address)


def test_redirects_to_insecure_addresses_are_refused(server, tmp_path):
    server.redirect_to = "http://example.org/a.tar"
    with pytest.raises(GenSegError, match=r"'http://example\.org/a\.tar' is not a secure"):
        download("hippocampus", tmp_path / "data", source=server.url)


def test_an_existing_output_folder_is_refused_before_the_download(server, md5, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(GenSegError, match="already exists"):
        download("hippocampus", tmp_path, source=server.url, md5=md5)
    assert server.requests == []
    assert names(tmp_path) == ["mine.txt"]


def test_a_download_that_cannot_be_extracted_is_kept(server, md5, tmp_path):
    part = tmp_path / f".data.{TASK}.tar.part"

    def occupy(done: int, total: int) -> None:
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "mine.txt").write_text("precious")

    with pytest.raises(GenSegError, match="already exists"):
        download("hippocampus", tmp_path / "data", source=server.url, md5=md5, progress=occupy)
    assert part.is_file()
    assert names(tmp_path / "data") == ["mine.txt"]


def test_an_archive_of_other_data_is_refused(server, archive, tmp_path):
    other = archive.parent / "other.tar"
    _pack(other, "notes.txt", b"hello")
    md5 = hashlib.md5(other.read_bytes()).hexdigest()
    url = server.url.replace(TASK, "other")
    with pytest.raises(GenSegError, match=f"does not contain {TASK}"):
        download("hippocampus", tmp_path / "data", source=url, md5=md5)
    assert names(tmp_path) == []


def _pack(path: Path, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> None:
    with tarfile.open(path, "w") as tar:
        good = tarfile.TarInfo("good.txt")
        tar.addfile(good)
        entry = tarfile.TarInfo(name)
        entry.type, entry.size, entry.linkname = kind, len(data), "/etc/passwd"
        tar.addfile(entry, io.BytesIO(data))


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
    assert names(tmp_path) == ["a.tar"]


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


def test_a_truncated_archive_is_refused(archive, tmp_path):
    data = archive.read_bytes()
    (tmp_path / "a.tar").write_bytes(data[: len(data) // 2 + 100])
    with pytest.raises(GenSegError, match="not a valid tar archive"):
        extract_tar(tmp_path / "a.tar", tmp_path / "out")
