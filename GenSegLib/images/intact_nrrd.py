"""Holds the header of a NRRD file (.nrrd, .nhdr, .seg.nrrd) to what ITK can be trusted with.

ITK's reader writes beyond its memory where it complains of a long field, and waits for ever for
voxels that the header looks for in standard input. The format:
https://teem.sourceforge.net/nrrd/format.html

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import GenSegError

MAGIC = b"NRRD"
_LONGEST_FIELD, _LONGEST_LINE, _MOST_LINES = 500, 1 << 20, 10_000
_DATA = (b"data file:", b"datafile:")


def require_sound_nrrd(path: Path) -> None:
    """Look through the header's lines before ITK reads them.

    Comments, and values of keys of one's own (`key:=value`), may be as long as they like.

    Raises:
        GenSegError: a field is longer than any sound one, there is no end to the header, or the
            voxels are not in a plain file.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        for line in _header(path, stream):
            if line.startswith(b"#") or _is_pair(line):
                continue
            if len(line) > _LONGEST_FIELD:
                raise _damaged(path)
            if line.lower().startswith(_DATA):
                _require_plain(path, line.partition(b":")[2].strip())


def _header(path: Path, stream: IO[bytes]) -> Iterator[bytes]:
    """Give the lines up to the empty one before the voxels, or the end of a detached header."""
    for _ in range(_MOST_LINES):
        line = stream.readline(_LONGEST_LINE)
        if not line.strip(b"\r\n"):
            return
        yield line
    raise _damaged(path)


def _is_pair(line: bytes) -> bool:
    pair, field = line.find(b":="), line.find(b": ")
    return pair >= 0 and not 0 <= field < pair


def _require_plain(path: Path, name: bytes) -> None:
    shown = name.decode("utf-8", "replace")
    try:
        plain = (path.parent / shown).is_file()
    except (OSError, ValueError):
        plain = False
    if not plain:
        raise GenSegError(f"{path}: its voxels are looked for in {shown!r}; copy that file too")


def _damaged(path: Path) -> GenSegError:
    return GenSegError(f"{path}: the NRRD header makes no sense; copy or export it again")
