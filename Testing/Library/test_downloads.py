"""Downloads: resumable, verified, unpacked safely - against a server on this machine."""

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

from GenSegLib.data.archives import extract
from GenSegLib.data.downloads import download
from GenSegLib.errors import GenSegError
from GenSegLib.images.image_io import read_label
from GenSegLib.phantoms import make_cases

TASK = "Task04_Hippocampus"


class Server(http.server.ThreadingHTTPServer):
    """Serves one folder; can be told to hang up early or to know no ranges."""

    ranges = True
    hang_up_after: int | None = None
    moved_to: str | None = None
    requests: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{TASK}.tar"


class Handler(http.server.SimpleHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.requests.append(asked)
        if self.server.moved_to:
            self.send_response(302)
            self.send_header("Location", self.server.moved_to)
            self.end_headers()
            return
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        first = int(re.findall(r"\d+", asked)[0]) if asked and self.server.ranges else 0
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
        self.wfile.write(data[first : self.server.hang_up_after])


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


def test_a_task_is_downloaded_verified_and_unpacked(server, md5, tmp_path):
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


def test_an_interrupted_download_says_so_and_goes_on_where_it_stopped(server, md5, tmp_path):
    server.hang_up_after = 100_000
    with pytest.raises(GenSegError, match=r"interrupted after 0.1 MB .*call it again"):
        download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert names(tmp_path) == [f".data.{TASK}.tar.part"]
    server.hang_up_after = None
    download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert server.requests == ["", "bytes=100000-"]
    assert names(tmp_path) == ["data"]


def test_a_server_without_ranges_sends_the_whole_file_anew(server, md5, tmp_path):
    server.ranges = False
    (tmp_path / f".data.{TASK}.tar.part").write_bytes(b"x" * 5000)
    download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert names(tmp_path) == ["data"]


def test_a_complete_part_is_not_transferred_again(server, archive, md5, tmp_path):
    (tmp_path / f".data.{TASK}.tar.part").write_bytes(archive.read_bytes())
    download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert server.requests == [f"bytes={archive.stat().st_size}-"]
    assert names(tmp_path) == ["data"]


def test_a_part_longer_than_the_file_is_dropped(server, archive, md5, tmp_path):
    (tmp_path / f".data.{TASK}.tar.part").write_bytes(b"x" * (archive.stat().st_size + 10))
    download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert names(tmp_path) == ["data"]


def test_a_damaged_download_is_refused_and_removed(server, md5, tmp_path):
    (tmp_path / f".data.{TASK}.tar.part").write_bytes(b"x" * 5000)
    with pytest.raises(GenSegError, match=f"damaged .*instead of {md5}.*download it again"):
        download("hippocampus", tmp_path / "data", source=server.url, md5=md5)
    assert names(tmp_path) == []


def test_the_sum_is_that_of_monai_unless_told_otherwise(server, tmp_path):
    with pytest.raises(GenSegError, match="instead of 9d24dba78a72977dbd1d2e110310f31b"):
        download("hippocampus", tmp_path / "data", source=server.url)
    assert names(tmp_path) == []


def test_an_unreachable_server_gives_one_line(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(GenSegError, match=r"cannot be reached .*check the internet") as fault:
        download("hippocampus", tmp_path / "data", source=f"http://127.0.0.1:{port}/x.tar")
    assert "\n" not in str(fault.value)
    assert names(tmp_path) == []


def test_a_folder_below_a_file_is_refused_in_one_line(server, md5, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GenSegError, match=r"cannot be written; choose another folder"):
        download("hippocampus", tmp_path / "file" / "data", source=server.url, md5=md5)
    assert names(tmp_path) == ["file"]


def test_a_missing_file_gives_the_servers_answer(server, tmp_path):
    with pytest.raises(GenSegError, match="answers 404"):
        download("liver", tmp_path / "data", source=server.url.replace("Task04", "Task99"))
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "address", ["nonsense", "file:///etc/passwd", "ftp://127.0.0.1/a", "http://example.org/a.tar"]
)
def test_an_address_without_tls_is_refused(tmp_path, address):
    with pytest.raises(GenSegError, match="is no safe web address; it starts with https"):
        download("liver", tmp_path / "data", source=address)


def test_a_server_that_sends_us_where_others_can_listen_is_not_followed(server, tmp_path):
    server.moved_to = "http://example.org/a.tar"
    with pytest.raises(GenSegError, match=r"'http://example\.org/a\.tar' is no safe web address"):
        download("hippocampus", tmp_path / "data", source=server.url)


def test_a_folder_in_use_is_refused_before_anything_is_transferred(server, md5, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(GenSegError, match="exists already"):
        download("hippocampus", tmp_path, source=server.url, md5=md5)
    assert server.requests == []
    assert names(tmp_path) == ["mine.txt"]


def test_an_unknown_anatomy_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(GenSegError, match="choose one of hippocampus, liver"):
        download("brain", tmp_path / "data")


def test_a_download_that_cannot_be_unpacked_is_kept_for_the_next_attempt(server, md5, tmp_path):
    part = tmp_path / f".data.{TASK}.tar.part"

    def occupy(done: int, total: int) -> None:
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / "mine.txt").write_text("precious")

    with pytest.raises(GenSegError, match="exists already"):
        download("hippocampus", tmp_path / "data", source=server.url, md5=md5, progress=occupy)
    assert part.is_file()
    assert names(tmp_path / "data") == ["mine.txt"]


def test_an_archive_of_something_else_is_refused(server, archive, tmp_path):
    other = archive.parent / "other.tar"
    _pack(other, "notes.txt", b"hello")
    md5 = hashlib.md5(other.read_bytes()).hexdigest()
    url = server.url.replace(TASK, "other")
    with pytest.raises(GenSegError, match=f"no data set {TASK}"):
        download("hippocampus", tmp_path / "data", source=url, md5=md5)
    assert names(tmp_path) == []


def _pack(path: Path, name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE) -> None:
    with tarfile.open(path, "w") as tar:
        good = tarfile.TarInfo("good.txt")
        tar.addfile(good)
        entry = tarfile.TarInfo(name)
        entry.type, entry.size, entry.linkname = kind, len(data), "/etc/passwd"
        tar.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "c:\\evil.txt"])
def test_an_entry_outside_the_folder_is_refused(tmp_path, name):
    _pack(tmp_path / "a.tar", name, b"evil")
    with pytest.raises(GenSegError, match="leads out of the folder"):
        extract(tmp_path / "a.tar", tmp_path / "out")
    assert names(tmp_path) == ["a.tar"], "not even the good entries are unpacked"


def test_an_archive_that_claims_more_than_it_holds_is_refused(tmp_path):
    header = tarfile.TarInfo("bomb")
    header.type, header.size = tarfile.GNUTYPE_SPARSE, 512
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"%011o\0%011o\0" % (0, 512)  # one piece of data
    block[483:495] = b"%011o\0" % (1 << 32)  # in 4 GB of nothing
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
    (tmp_path / "a.tar").write_bytes(bytes(block) + bytes(512 * 3))
    with pytest.raises(GenSegError, match="claims to hold more than its own size"):
        extract(tmp_path / "a.tar", tmp_path / "out")
    assert names(tmp_path) == ["a.tar"]


def test_a_packed_archive_is_refused_since_nothing_bounds_what_is_in_it(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("good.txt"))
    with pytest.raises(GenSegError, match="not a sound tar archive"):
        extract(tmp_path / "a.tar", tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    _pack(tmp_path / "a.tar", "link", kind=kind)
    with pytest.raises(GenSegError, match="'link' is a link or a device"):
        extract(tmp_path / "a.tar", tmp_path / "out")
    assert names(tmp_path) == ["a.tar"]


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"<html>please log in</html>" * 40)
    with pytest.raises(GenSegError, match="not a sound tar archive"):
        extract(tmp_path / "a.tar", tmp_path / "out")


def test_a_truncated_archive_is_refused(archive, tmp_path):
    data = archive.read_bytes()
    (tmp_path / "a.tar").write_bytes(data[: len(data) // 2 + 100])
    with pytest.raises(GenSegError, match="not a sound tar archive"):
        extract(tmp_path / "a.tar", tmp_path / "out")
