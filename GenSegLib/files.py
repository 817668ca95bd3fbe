"""Files that are either whole or not there: written under another name, then renamed.

Light: the standard library alone.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import DriveAway, GenSegError

_FULL = {
    errno.ENOSPC: "the disk is full; make room",
    errno.EDQUOT: "your disk quota is used up; make room",
}
_CLOSED = {
    errno.EACCES: "you may not write there; choose another folder",
    errno.EPERM: "you may not write there; choose another folder",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOTDIR: "a part of the path is a file; choose another folder",
    errno.EEXIST: "a part of the path is a file; choose another folder",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}
_UNREACHABLE = dict.fromkeys(
    (
        *(errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT),
        *(errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNRESET),
    ),
    "its drive does not answer; connect it again",
)
_AWAY = {**_UNREACHABLE, errno.ENOENT: _UNREACHABLE[errno.EIO]}

_READERS_TRIES, _READERS_WAIT_S = 50, 0.02


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file in one stroke: a reader sees the old content or the new, never a part.

    Raises:
        GenSegError: the disk is full, or the folder cannot be written.
    """
    path = Path(path)
    with _mendable(path, _FULL | _CLOSED | _AWAY):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.chmod(_file_mode())
            _replace(temporary, path)
            settle(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def settle(path: Path) -> None:
    """Let what was written to a file, or the names in a folder, outlast a loss of power.

    Windows opens no folders, and settles names by itself.
    """
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _replace(temporary: Path, path: Path) -> None:
    """Rename over a file; Windows refuses while another process reads it, which does not last."""
    for _ in range(_READERS_TRIES if os.name == "nt" else 0):
        try:
            temporary.replace(path)
        except PermissionError:
            time.sleep(_READERS_WAIT_S)
        else:
            return
    temporary.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8 in one stroke; raises as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: object) -> None:
    """Write a JSON file in one stroke; raises as `write_bytes` does.

    NaN and infinity are refused with ValueError: other programs cannot read them.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def append_line(path: Path, line: str) -> None:
    """Append one line to a text file; a line that a crash had cut short is ended first.

    Raises:
        GenSegError: the disk is full, or the file cannot be written.
    """
    path = Path(path)
    with _mendable(path, _FULL | _CLOSED | _AWAY), path.open("a+b") as stream:
        if stream.tell() > 0:
            stream.seek(-1, os.SEEK_END)
            line = line if stream.read(1) == b"\n" else f"\n{line}"
        stream.write(f"{line}\n".encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        GenSegError: the file is missing, unreadable, not JSON, or holds something else.
    """
    path = Path(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise GenSegError(f"{path} does not exist; check the path") from None
    except OSError as fault:
        raise GenSegError(f"{path} cannot be read: {fault.strerror}") from fault
    except (ValueError, RecursionError) as fault:
        text = " ".join(str(fault).split())
        raise GenSegError(f"{path} is not valid JSON ({text}); restore or remove it") from fault
    if not isinstance(value, dict):
        raise GenSegError(f"{path} must hold a JSON object; restore or remove it")
    return value


@contextmanager
def atomic_folder(path: Path, permit: Callable[[], object] | None = None) -> Iterator[Path]:
    """Fill a folder that appears under its name only when it is complete.

    Args:
        path: the folder; it must not exist, or be empty, unless `permit` is given.
        permit: called at the end of the block; raises where what is at `path` may not be replaced.

    Yields:
        An empty folder beside `path`. It is renamed to `path` at the end of the block, and
        removed when the block fails, so that nothing half-written stays behind. What was at
        `path` is removed when the new folder has its name.

    Raises:
        GenSegError: `path` is in use, the disk is full, or the folder cannot be written.
    """
    path = Path(path)
    with _mendable(path, _FULL | _CLOSED):
        if permit is None:
            require_unused(path)
        temporary = _sibling_folder(path)
    try:
        with _mendable(path, _FULL):
            yield temporary
        with _mendable(path, _FULL | _CLOSED):
            permit() if permit is not None else require_unused(path)
            _take_place(temporary, path)
            settle(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def require_unused(path: Path) -> None:
    """Make sure that nothing is at a path but an empty folder.

    Raises:
        GenSegError: something is.
    """
    if path.exists() and not is_empty_folder(path):
        raise GenSegError(f"{path} exists already; choose another output or remove it")


def _take_place(temporary: Path, path: Path) -> None:
    """Give a folder the name of another, which stays as it is if that fails and then goes."""
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
    """Give a folder a hidden name beside its own, and return it: for a reader it is gone."""
    return path.rename(path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"))


def _sibling_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    folder.chmod(_file_mode() | 0o111)
    return folder


def remove(path: Path) -> None:
    """Remove a file or a whole folder, as far as the system lets."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def is_empty_folder(path: Path) -> bool:
    """Tell whether `path` is a folder with nothing in it."""
    return path.is_dir() and next(path.iterdir(), None) is None


@contextmanager
def reachable(path: Path) -> Iterator[None]:
    """Turn a drive's silence, whatever was asked of it in the block, into one line.

    Raises:
        DriveAway: the drive of `path` does not answer.
    """
    with _mendable(path, _UNREACHABLE, "cannot be reached"):
        yield


@contextmanager
def _mendable(
    path: Path, hints: Mapping[int, str], what: str = "cannot be written"
) -> Iterator[None]:
    """Turn the faults of a disk that `hints` explains into one line that names the path."""
    try:
        yield
    except OSError as fault:
        hint = hints.get(fault.errno or 0)
        if hint is None:
            raise
        kind = DriveAway if fault.errno in _AWAY else GenSegError
        raise kind(f"{path} {what}: {hint}") from fault


def _file_mode() -> int:
    """Give the permissions that an ordinary new file gets (mkstemp's are the owner's alone)."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
