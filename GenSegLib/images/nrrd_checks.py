"""Check the header of a NRRD file (.nrrd, .nhdr, .seg.nrrd) before ITK reads it.

ITK's reader overruns a buffer when it reports a very long field, and waits forever if the header
names standard input as data file. Format: https://teem.sourceforge.net/nrrd/format.html

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import GenSegError

MAGIC = b"NRRD"
_MAX_FIELD, _MAX_LINE, _MAX_LINES = 500, 1 << 20, 10_000
_DATA_FILE = (b"data file:", b"datafile:")
_ENCODING = b"encoding:"
_ENCODINGS = ("raw", "txt", "text", "ascii", "hex", "gz", "gzip")  # that ITK reads


def require_valid_nrrd(path: Path) -> None:
    """Check the lines of a NRRD header.

    Comments and values of custom keys (`key:=value`) may be of any length.

    Raises:
        GenSegError: a field is too long, the header has no end, the encoding is one that ITK
            cannot read, or the data file is missing.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        for line in header_lines(path, stream):
            if line.startswith(b"#") or _is_custom_pair(line):
                continue
            if len(line) > _MAX_FIELD:
                raise _invalid(path)
            if line.lower().startswith(_ENCODING):
                _require_encoding(path, line.partition(b":")[2].strip().decode("ascii", "replace"))
            if line.lower().startswith(_DATA_FILE):
                _require_data_file(path, line.partition(b":")[2].strip())


def header_lines(path: Path, stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines up to the blank line before the voxels, or the end of a detached header.

    Raises:
        GenSegError: the header has no end.
    """
    for _ in range(_MAX_LINES):
        line = stream.readline(_MAX_LINE)
        if not line.strip(b"\r\n"):
            return
        yield line
    raise _invalid(path)


def _is_custom_pair(line: bytes) -> bool:
    pair, field = line.find(b":="), line.find(b": ")
    return pair >= 0 and not 0 <= field < pair


def _require_encoding(path: Path, encoding: str) -> None:
    if encoding.lower() not in _ENCODINGS:
        name = "".join(char for char in encoding if char.isprintable())  # of a damaged header
        raise GenSegError(
            f"{path}: the NRRD encoding {name} is not supported, nor is it in 3D Slicer; save "
            "the file with the encoding gzip"
        )


def _require_data_file(path: Path, name: bytes) -> None:
    text = name.decode("utf-8", "replace")
    try:
        exists = (path.parent / text).is_file()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise GenSegError(f"{path}: the data file {text!r} is missing; copy it next to the header")


def _invalid(path: Path) -> GenSegError:
    return GenSegError(f"{path}: invalid NRRD header; copy or export the file again")
