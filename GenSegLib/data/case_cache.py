"""Disk cache of preprocessed cases, shared by the runs in a folder.

Light: numpy alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..errors import GenSegError
from ..files import atomic_folder, remove, write_text
from ..images.file_names import split_frame

FOLDER = "genseg-cache"

_FORMAT = 4
_SUFFIX = ".case"
_VALUES = "values.json"
_README = """\
Preprocessed cases of the GenSeg training runs in this folder. They are created again from the
original images when they are missing: delete this folder whenever no training is running.
"""
_GB = 1e9
_RESERVED = 500_000_000  # bytes that stay free for checkpoints and other files
_IN_USE_S = 3600  # entries read since then may belong to another training
_ABANDONED_S = 24 * 3600
_CHUNK = 1 << 20
_DETACHED_SUFFIXES = (".mhd", ".nhdr", ".hdr")

Array = NDArray[Any]


class CacheEntry:
    """The arrays and values of one cached case.

    Attributes:
        path: folder of the entry.
        values: its JSON values.

    Raises:
        OSError: on creation, the entry does not exist or cannot be read.
        ValueError: on creation, the entry is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        content = json.loads((path / _VALUES).read_text(encoding="utf-8"))
        self.values: dict[str, Any] = content["values"]
        self._shapes = {name: self.array(name).shape for name in content["arrays"]}

    def has(self, name: str) -> bool:
        """Return whether there is an array of a name."""
        return name in self._shapes

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array."""
        return self._shapes[name]

    def array(self, name: str) -> Array:
        """Return an array as a memory map.

        It is opened anew each time, so that many large cases need little address space.
        """
        with suppress(OSError):
            os.utime(self.path)
        array: Array = np.load(self.path / f"{name}.npy", mmap_mode="r")
        return array


class CaseCache:
    """A folder of cached cases that several training runs may use at the same time.

    Entries appear atomically. Damaged entries count as missing.

    Args:
        folder: created when the first case is stored.
        limit_bytes: above it, entries that no training uses are removed, least recently used
            first.
    """

    def __init__(self, folder: Path, limit_bytes: float) -> None:
        self.folder, self._limit = folder, limit_bytes
        self._used: set[Path] = set()

    def find(self, key: str) -> CacheEntry | None:
        """Return the entry of a key if there is a valid one."""
        path = self._path(key)
        if not path.is_dir():
            return None
        try:
            entry = CacheEntry(path)
        except (OSError, ValueError, KeyError, TypeError):
            remove(path)
            return None
        self._used.add(path)
        return entry

    def store(self, key: str, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> CacheEntry:
        """Write and return the entry of a key.

        Raises:
            GenSegError: the disk has no space left, or the folder is not writable.
        """
        needed = size_of(arrays)
        self._trim(self._limit - needed)
        self._require_space(needed)
        path = self._path(key)
        try:
            with atomic_folder(path) as folder:
                for name, array in arrays.items():
                    np.save(folder / f"{name}.npy", np.ascontiguousarray(array))
                content = {"values": dict(values), "arrays": list(arrays)}
                write_text(folder / _VALUES, json.dumps(content))
            write_text(self.folder / "README.txt", _README)
        except (GenSegError, OSError):
            entry = self.find(key)  # another training stored it at the same time
            if entry is None:
                raise
            return entry
        self._used.add(path)
        return CacheEntry(path)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    def _removable(self) -> list[Path]:
        """Return the entries that no training uses, least recently used first."""
        found = [path for path in self.folder.glob(f"*{_SUFFIX}") if path not in self._used]
        return sorted((path for path in found if _age_s(path) > _IN_USE_S), key=_age_s)[::-1]

    def _trim(self, limit: float) -> None:
        for leftover in self.folder.glob(f".*{_SUFFIX}.*.tmp"):
            if _age_s(leftover) > _ABANDONED_S:
                remove(leftover)
        total = sum(_disk_size(path) for path in self.folder.glob(f"*{_SUFFIX}"))
        for path in self._removable():
            if total <= limit:
                return
            total -= _disk_size(path)
            remove(path)

    def _require_space(self, needed: int) -> None:
        for path in self._removable():
            if self._free_bytes() >= needed + _RESERVED:
                return
            remove(path)
        free = self._free_bytes()
        if free < needed + _RESERVED:
            raise GenSegError(
                f"{self.folder}: the next case needs {(needed + _RESERVED) / _GB:.1f} GB, but only "
                f"{free / _GB:.1f} GB are free; free disk space and resume, or train in a folder "
                "on another disk"
            )

    def _free_bytes(self) -> int:
        parents = (self.folder, *self.folder.parents)
        return shutil.disk_usage(next(path for path in parents if path.is_dir())).free


def size_of(arrays: Mapping[str, Array]) -> int:
    """Return the size of arrays in bytes."""
    return sum(array.nbytes for array in arrays.values())


def content_key(files: Iterable[Path], settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 of files (or folders of files), settings and GenSeg's version.

    Raises:
        GenSegError: a file cannot be read.
    """
    identity = {"format": _FORMAT, "version": __version__, **settings}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
    for path in files:
        try:
            _update(digest, path)
        except OSError as error:
            raise GenSegError(f"{path}: cannot be read ({error.strerror or error})") from None
    return digest.hexdigest()


def _update(digest: Any, path: Path) -> None:
    """Hash a file's content; of the voxels of a detached header, the sizes and dates."""
    path, frame = split_frame(path)
    digest.update(b"" if frame is None else f"frame {frame} ".encode())
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if not file.is_file():
            continue
        digest.update(f"{file.stat().st_size} ".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    if path.name.lower().endswith(_DETACHED_SUFFIXES):
        facts = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in path.parent.iterdir()]
        digest.update(repr(sorted(facts)).encode())


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _disk_size(path: Path) -> int:
    try:
        return sum(file.stat().st_size for file in (path, *path.glob("*")) if file.is_file())
    except OSError:
        return 0
