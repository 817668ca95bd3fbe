"""Atomic writes: files and folders that are either complete or absent.

Light: the standard library only.
"""

from __future__ import annotations

import codecs
import csv
import errno
import io
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import DriveUnavailable, GenSegError

_FULL = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "your disk quota is used up; free some space",
}
_NOT_WRITABLE = {
    errno.EACCES: "permission denied; choose another folder",
    errno.EPERM: "permission denied; choose another folder",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOTDIR: "part of the path is a file; choose another folder",
    errno.EEXIST: "part of the path is a file; choose another folder",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}
_UNREACHABLE = dict.fromkeys(
    (
        *(errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT),
        *(errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNRESET),
    ),
    "the drive does not respond; reconnect it",
)
_UNAVAILABLE = {**_UNREACHABLE, errno.ENOENT: _UNREACHABLE[errno.EIO]}

_REPLACE_ATTEMPTS, _REPLACE_WAIT_S = 50, 0.02


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: readers see the old content or the new, never a part.

    Raises:
        GenSegError: the disk is full, or the folder cannot be written.
    """
    path = Path(path)
    with _user_errors(path, _FULL | _NOT_WRITABLE | _UNAVAILABLE):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.chmod(_default_mode())
            _replace(temporary, path)
            fsync(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def fsync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk, so that a power failure spares them.

    On Windows folders cannot be opened and need no flush.
    """
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(temporary: Path, path: Path) -> None:
    """Rename over a file; on Windows retry while another process has it open."""
    for _ in range(_REPLACE_ATTEMPTS if os.name == "nt" else 0):
        try:
            temporary.replace(path)
        except PermissionError:
            time.sleep(_REPLACE_WAIT_S)
        else:
            return
    temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically; raises as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: object) -> None:
    """Write a JSON file atomically; raises as `write_bytes` does, and ValueError for NaN."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write a table as CSV atomically, None as an empty cell; raises as `write_bytes` does."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    write_text(path, stream.getvalue())


def append_line(path: Path, line: str) -> None:
    """Append a line to a text file, after terminating one that a crash left incomplete.

    Raises:
        GenSegError: the disk is full, or the file cannot be written.
    """
    path = Path(path)
    with _user_errors(path, _FULL | _NOT_WRITABLE | _UNAVAILABLE), path.open("a+b") as stream:
        if stream.tell() > 0:
            stream.seek(-1, os.SEEK_END)
            line = line if stream.read(1) == b"\n" else f"\n{line}"
        stream.write(f"{line}\n".encode())


def file_version(path: Path) -> tuple[int, int]:
    """Return time of change (ns) and size of a file, by which copies in memory are seen to be old.

    They are 0 for a file that cannot be found, which whoever opens it reports.
    """
    try:
        facts = path.stat()
    except OSError:
        return 0, 0
    return facts.st_mtime_ns, facts.st_size


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object, in UTF-8 or UTF-16, with or without byte order mark.

    Raises:
        GenSegError: the file is missing, unreadable, not JSON, or holds something else.
    """
    path = Path(path)
    try:
        value = json.loads(decode_text(path.read_bytes()))
    except FileNotFoundError:
        raise GenSegError(f"{path} does not exist; check the path") from None
    except OSError as error:
        raise GenSegError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        text = " ".join(str(error).split())
        raise GenSegError(f"{path} is not valid JSON ({text}); restore or remove it") from error
    if not isinstance(value, dict):
        raise GenSegError(f"{path} must contain a JSON object; restore or remove it")
    return value


def decode_text(data: bytes) -> str:
    """Decode a text; editors on Windows begin UTF-8 and UTF-16 with a byte order mark."""
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if is_utf16 else "utf-8-sig")


@contextmanager
def atomic_folder(path: Path, permit: Callable[[], object] | None = None) -> Iterator[Path]:
    """Create a folder that appears under its name only when it is complete.

    Args:
        path: the folder; it must not exist, or be empty, unless `permit` is given.
        permit: called at the end of the block; raises if what is at `path` must not be replaced.

    Yields:
        An empty folder next to `path`. At the end of the block it replaces `path`; if the block
        raises, it is removed and `path` stays as it is.

    Raises:
        GenSegError: `path` is in use, the disk is full, or the folder cannot be written.
    """
    path = Path(path)
    with _user_errors(path, _FULL | _NOT_WRITABLE):
        if permit is None:
            require_unused(path)
        temporary = _sibling_folder(path)
    try:
        with _user_errors(path, _FULL):
            yield temporary
        with _user_errors(path, _FULL | _NOT_WRITABLE):
            permit() if permit is not None else require_unused(path)
            _replace_folder(temporary, path)
            fsync(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def require_unused(path: Path) -> None:
    """Raise GenSegError if anything but an empty folder is at a path."""
    if path.exists() and not is_empty_folder(path):
        raise GenSegError(f"{path} already exists; choose another output or remove it")


def _replace_folder(temporary: Path, path: Path) -> None:
    """Rename a folder over another, which is restored if that fails."""
    if not path.exists():
        temporary.replace(path)
        return
    aside = set_aside(path)
    try:
        temporary.replace(path)
    except BaseException:
        aside.rename(path)
        raise
    remove(aside)


def set_aside(path: Path) -> Path:
    """Rename a folder to a hidden temporary name next to it, and return that."""
    return path.rename(path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"))


def _sibling_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    folder.chmod(_default_mode() | 0o111)
    return folder


def remove(path: Path) -> None:
    """Remove a file or a folder tree, ignoring errors."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def is_empty_folder(path: Path) -> bool:
    """Return whether `path` is a folder without entries."""
    return path.is_dir() and next(path.iterdir(), None) is None


@contextmanager
def writing_folder(path: Path) -> Iterator[None]:
    """Raise GenSegError for errors of a folder that cannot be written, such as a full disk."""
    with _user_errors(path, _FULL | _NOT_WRITABLE):
        yield


@contextmanager
def drive_errors(path: Path) -> Iterator[None]:
    """Raise DriveUnavailable for errors of a drive that does not respond."""
    with _user_errors(path, _UNREACHABLE, "cannot be reached"):
        yield


@contextmanager
def _user_errors(
    path: Path, hints: Mapping[int, str], what: str = "cannot be written"
) -> Iterator[None]:
    """Convert operating system errors that have a hint into GenSegError naming the path."""
    try:
        yield
    except OSError as error:
        hint = hints.get(error.errno or 0)
        if hint is None:
            raise
        kind = DriveUnavailable if error.errno in _UNAVAILABLE else GenSegError
        raise kind(f"{path} {what}: {hint}") from error


def _default_mode() -> int:
    """Return the permissions of a new file; mkstemp restricts its files to the owner."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
