"""A file of arrays of which boxes are read through a memory map, known by its checksum.

Light: numpy alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import write_bytes

Array = NDArray[Any]

_MARK = b"GenSeg arrays 1\n"
_DIGEST_BYTES, _LENGTH_BYTES = 32, 8
_ALIGNMENT = 64
_CHUNK = 1 << 20


def write_arrays(path: Path, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
    """Write arrays and plain values in one stroke.

    The file holds a mark, the SHA-256 of all that follows, the header's length (little endian),
    the header as JSON, and the arrays, each aligned.

    Raises:
        GenSegError: the disk is full, or the folder cannot be written.
    """
    content = _content(arrays, values)
    write_bytes(path, _MARK + hashlib.sha256(content).digest() + content)


def size_of(arrays: Mapping[str, Array]) -> int:
    """Return the bytes that a file of these arrays takes, but for its small header."""
    return sum(_aligned(array.nbytes) for array in arrays.values())


def _content(arrays: Mapping[str, Array], values: Mapping[str, Any]) -> bytes:
    entries, parts, place = {}, [], 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).tobytes()
        entries[name] = {"kind": array.dtype.str, "shape": list(array.shape), "place": place}
        parts += [data, bytes(_aligned(len(data)) - len(data))]
        place += _aligned(len(data))
    header = json.dumps({"values": values, "arrays": entries}).encode()
    before = len(_MARK) + _DIGEST_BYTES + _LENGTH_BYTES
    header += b" " * (_aligned(before + len(header)) - before - len(header))
    return b"".join([len(header).to_bytes(_LENGTH_BYTES, "little"), header, *parts])


def _aligned(count: int) -> int:
    return -(-count // _ALIGNMENT) * _ALIGNMENT


class ArrayFile:
    """A file of `write_arrays` that stays open, so that nobody's clean-up takes it away.

    Arrays are mapped for the moment in which they are read: a hundred cases of a gigabyte need no
    address space.

    Attributes:
        values: the plain values.

    Raises:
        ValueError: on opening, the file is damaged.
        OSError: on opening, it is missing or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = path.open("rb")
        try:
            header = self._read_header()
        except (ValueError, KeyError, TypeError):
            self._stream.close()
            raise ValueError(f"{path} is damaged") from None
        self.values: dict[str, Any] = header["values"]
        self._arrays: dict[str, Any] = header["arrays"]
        self._start = self._stream.tell()

    def _read_header(self) -> dict[str, Any]:
        stream = self._stream
        mark, digest = stream.read(len(_MARK)), stream.read(_DIGEST_BYTES)
        found = hashlib.sha256()
        while chunk := stream.read(_CHUNK):
            found.update(chunk)
        if mark != _MARK or found.digest() != digest:
            raise ValueError
        stream.seek(len(_MARK) + _DIGEST_BYTES)
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        header: dict[str, Any] = json.loads(stream.read(length))
        return header

    def shape(self, name: str) -> tuple[int, ...]:
        """Return an array's shape."""
        return tuple(self._arrays[name]["shape"])

    def array(self, name: str) -> Array:
        """Return an array as a memory map that reads what is used of it."""
        entry = self._arrays[name]
        kind, place = np.dtype(entry["kind"]), self._start + entry["place"]
        if 0 in entry["shape"]:
            return np.empty(entry["shape"], kind)
        return np.memmap(self._stream, kind, "r", place, tuple(entry["shape"]))

    def close(self) -> None:
        """Close the file; arrays cannot be read any more."""
        self._stream.close()
