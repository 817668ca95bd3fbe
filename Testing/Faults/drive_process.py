"""A drive that answers as its control file says: `drive_process.py BACKING MOUNT CONTROL [fold]`.

It shows the folder BACKING at MOUNT, by FUSE. CONTROL holds a word: "sound"; the name of an error
(such as EIO, ESTALE or ENOTCONN), which everything is answered with then; "hang", with which every
question waits until the word is another; or "EDQUOT", with which what is written finds no room.
With `fold` it knows names without regard to capitals, as drives of Windows and macOS do.
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
_LOOK_S = 0.01


def heeding(answer: Callable[..., Any]) -> Callable[..., Any]:
    """Let an answer of the drive depend on its control file."""

    @wraps(answer)
    def heeded(drive: Drive, *arguments: Any) -> Any:
        drive.heed(answer.__name__)
        return answer(drive, *arguments)

    return heeded


class Drive(Operations):  # type: ignore[misc]
    """Passes on to a folder what the system asks of the drive."""

    use_ns = True

    def __init__(self, backing: Path, control: Path, *, fold: bool) -> None:
        self._backing, self._control, self._fold = backing, control, fold

    def heed(self, operation: str) -> None:
        """Wait or fail, as the control file says."""
        while (word := self._control.read_text(encoding="ascii")) == "hang":
            time.sleep(_LOOK_S)
        if word not in ("sound", "EDQUOT") or (word == "EDQUOT" and operation in _WRITING):
            raise FuseOSError(getattr(errno, word))

    def _at(self, path: str) -> Path:
        """Where a path of the drive lies in the folder."""
        found = self._backing
        for name in Path(path).parts[1:]:
            found = self._named(found, name) if self._fold else found / name
        return found

    @staticmethod
    def _named(folder: Path, name: str) -> Path:
        known = folder.iterdir() if folder.is_dir() else ()
        alike = (other for other in known if other.name.casefold() == name.casefold())
        return next(alike, folder / name)

    @heeding
    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = os.lstat(self._at(path))
        names = ("mode", "nlink", "size", "uid", "gid")
        times = {f"st_{name}": getattr(found, f"st_{name}_ns") for name in ("atime", "mtime")}
        return {f"st_{name}": getattr(found, f"st_{name}") for name in names} | times

    @heeding
    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *(entry.name for entry in self._at(path).iterdir())]

    @heeding
    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags)

    @heeding
    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    @heeding
    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    @heeding
    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    @heeding
    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(self._at(path), length)

    @heeding
    def fsync(self, path: str, datasync: int, fh: int) -> None:
        os.fsync(fh)

    @heeding
    def fsyncdir(self, path: str, datasync: int, fh: int) -> None:
        """Nothing waits to be written."""

    @heeding
    def flush(self, path: str, fh: int) -> None:
        """Nothing waits to be written."""

    @heeding
    def release(self, path: str, fh: int) -> None:
        os.close(fh)

    @heeding
    def rename(self, old: str, new: str) -> None:
        self._at(old).replace(self._at(new))

    @heeding
    def unlink(self, path: str) -> None:
        self._at(path).unlink()

    @heeding
    def mkdir(self, path: str, mode: int) -> None:
        self._at(path).mkdir(mode)

    @heeding
    def rmdir(self, path: str) -> None:
        self._at(path).rmdir()

    @heeding
    def chmod(self, path: str, mode: int) -> None:
        self._at(path).chmod(mode)

    @heeding
    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        os.utime(self._at(path), ns=times) if times else os.utime(self._at(path))

    @heeding
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
