"""A FUSE file system with simulated failures: `drive_process.py BACKING MOUNT CONTROL [fold]`.

It mounts the folder BACKING at MOUNT. CONTROL contains a mode: "ok"; the name of an error such as
EIO, ESTALE or ENOTCONN, which every operation returns; "hang", in which operations wait for another
mode; or "EDQUOT", which only writes return. With `fold` names are case-insensitive, as on Windows
and macOS.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from mfusepy import FUSE, FuseOSError, Operations

_WRITING = {"write", "create", "mkdir", "truncate"}
_POLL_S = 0.01


def controlled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make an operation of the drive depend on the mode."""

    @wraps(function)
    def operation(drive: Drive, *arguments: Any) -> Any:
        drive.apply_mode(function.__name__)
        return function(drive, *arguments)

    return operation


class Drive(Operations):  # type: ignore[misc]
    """Forward the operations of the drive to a folder."""

    use_ns = True

    def __init__(self, backing: Path, control: Path, *, fold: bool) -> None:
        self._backing, self._control, self._fold = backing, control, fold

    def apply_mode(self, operation: str) -> None:
        """Wait or fail, depending on the mode."""
        while (mode := self._control.read_text(encoding="ascii")) == "hang":
            time.sleep(_POLL_S)
        if mode not in ("ok", "EDQUOT") or (mode == "EDQUOT" and operation in _WRITING):
            raise FuseOSError(getattr(errno, mode))

    def _at(self, path: str) -> Path:
        """The path in the folder for a path of the drive."""
        found = self._backing
        for name in Path(path).parts[1:]:
            found = self._named(found, name) if self._fold else found / name
        return found

    @staticmethod
    def _named(folder: Path, name: str) -> Path:
        known = folder.iterdir() if folder.is_dir() else ()
        alike = (other for other in known if other.name.casefold() == name.casefold())
        return next(alike, folder / name)

    @controlled
    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = os.lstat(self._at(path))
        names = ("mode", "nlink", "size", "uid", "gid")
        times = {f"st_{name}": getattr(found, f"st_{name}_ns") for name in ("atime", "mtime")}
        return {f"st_{name}": getattr(found, f"st_{name}") for name in names} | times

    @controlled
    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *(entry.name for entry in self._at(path).iterdir())]

    @controlled
    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags)

    @controlled
    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    @controlled
    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    @controlled
    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    @controlled
    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(self._at(path), length)

    @controlled
    def fsync(self, path: str, datasync: int, fh: int) -> None:
        os.fsync(fh)

    @controlled
    def fsyncdir(self, path: str, datasync: int, fh: int) -> None:
        """Nothing is buffered."""

    @controlled
    def flush(self, path: str, fh: int) -> None:
        """Nothing is buffered."""

    @controlled
    def release(self, path: str, fh: int) -> None:
        os.close(fh)

    @controlled
    def rename(self, old: str, new: str) -> None:
        self._at(old).replace(self._at(new))

    @controlled
    def unlink(self, path: str) -> None:
        self._at(path).unlink()

    @controlled
    def mkdir(self, path: str, mode: int) -> None:
        self._at(path).mkdir(mode)

    @controlled
    def rmdir(self, path: str) -> None:
        self._at(path).rmdir()

    @controlled
    def chmod(self, path: str, mode: int) -> None:
        self._at(path).chmod(mode)

    @controlled
    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        os.utime(self._at(path), ns=times) if times else os.utime(self._at(path))

    @controlled
    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._backing)
        names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree")
        return {name: getattr(found, name) for name in names}


if __name__ == "__main__":
    FUSE(
        Drive(Path(sys.argv[1]), Path(sys.argv[3]), fold=sys.argv[4:] == ["fold"]),
        sys.argv[2],
        foreground=True,
        nothreads=True,
        attr_timeout=0,
        entry_timeout=0,
    )
