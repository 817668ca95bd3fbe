"""Prepared cases on disk, beside the runs that read them; made once, the oldest removed first.

Light: numpy alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import GenSegError
from ..files import write_text
from .array_file import Array, ArrayFile, size_of, write_arrays

FOLDER = "genseg-cache"

_FORMAT = 2
_SUFFIX = ".case"
_README = """\
Prepared cases that GenSeg's trainings in this folder read patches of. All of it is made anew
from the original images when it is missing: remove it whenever no training runs.
"""
_GB = 1e9
_SPARED = 500_000_000  # bytes that stay free for checkpoints and all else
_ABANDONED_S = 24 * 3600
_CHUNK = 1 << 20
_DETACHED = (".mhd", ".nhdr", ".hdr")


class CaseCache:
    """A folder of array files that several trainings may use at the same time.

    Files appear whole under their name and stay readable for whoever has opened them. A damaged
    one counts as missing.

    Args:
        folder: is made when the first case is stored.
        limit_bytes: above it, files that this process does not use are removed, those first that
            were not used for the longest time.
    """

    def __init__(self, folder: Path, limit_bytes: float) -> None:
        self.folder, self._limit = folder, limit_bytes
        self._used: set[Path] = set()

    def find(self, key: str) -> ArrayFile | None:
        """Give the file of a key, where there is a sound one."""
        path = self._path(key)
        try:
            found = ArrayFile(path)
            os.utime(path)
        except OSError:
            return None
        except ValueError:
            _remove(path)
            return None
        self._used.add(path)
        return found

    def store(self, key: str, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> ArrayFile:
        """Write the file of a key and give it.

        Raises:
            GenSegError: there is no room for it, or the folder cannot be written.
        """
        needed = size_of(arrays)
        self._trim(self._limit - needed)
        self._require_room(needed)
        path = self._path(key)
        self._used.add(path)
        try:
            write_arrays(path, arrays, values)
            write_text(self.folder / "README.txt", _README)
        except GenSegError:
            found = self.find(key)  # where Windows keeps what another training wrote and reads
            if found is None:
                raise
            return found
        return ArrayFile(path)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    def _unused(self) -> list[Path]:
        """Give the files that this process does not use, the oldest first."""
        found = [path for path in self.folder.glob(f"*{_SUFFIX}") if path not in self._used]
        return sorted(found, key=_age, reverse=True)

    def _trim(self, limit: float) -> None:
        for leftover in self.folder.glob(f".*{_SUFFIX}.*.tmp"):
            if _age(leftover) > _ABANDONED_S:
                _remove(leftover)
        total = sum(_bytes(path) for path in self.folder.glob(f"*{_SUFFIX}"))
        for path in self._unused():
            if total <= limit:
                return
            total -= _bytes(path)
            _remove(path)

    def _require_room(self, needed: int) -> None:
        for path in self._unused():
            if self._free() >= needed + _SPARED:
                return
            _remove(path)
        if self._free() < needed + _SPARED:
            raise GenSegError(
                f"{self.folder} needs {(needed + _SPARED) / _GB:.1f} GB for the next case and "
                f"{self._free() / _GB:.1f} GB are free; make room and resume, or train in a "
                "folder of another disk"
            )

    def _free(self) -> int:
        there = next(path for path in (self.folder, *self.folder.parents) if path.is_dir())
        return shutil.disk_usage(there).free


def content_key(files: Iterable[Path], settings: Mapping[str, Any]) -> str:
    """Give the SHA-256 of files (or folders of files), settings and this version of GenSeg.

    Raises:
        GenSegError: a file cannot be read.
    """
    asked = {"format": _FORMAT, "version": __version__, **settings}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode())
    for path in files:
        try:
            _add(digest, path)
        except OSError as fault:
            raise GenSegError(f"{path}: cannot be read ({fault.strerror or fault})") from None
    return digest.hexdigest()


def _add(digest: Any, path: Path) -> None:
    """Add what a file holds; what a header of detached voxels names is known by its date."""
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if not file.is_file():
            continue
        digest.update(f"{file.stat().st_size} ".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    if path.name.lower().endswith(_DETACHED):
        facts = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in path.parent.iterdir()]
        digest.update(repr(sorted(facts)).encode())


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _remove(path: Path) -> None:
    """Remove a file, unless another training of a Windows machine reads it."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
