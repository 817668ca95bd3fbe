"""Finds elements of a DICOM file that claim to be longer than the file, before GDCM reads them.

GDCM asks for as much memory as an element claims, up to 4 GB, before it sees that the file ends.
The elements are walked through as PS3.5, chapter 7, has them; where that leads on to what only a
whole reader can follow, the walk ends, and GDCM has the last word.

Light: the standard library alone.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import IO, NamedTuple

_START = 132  # preamble and "DICM", PS3.10, 7.1
_UNDEFINED = 0xFFFFFFFF
_ITEMS, _META, _SYNTAX, _PIXELS = 0xFFFE, 0x0002, (0x0002, 0x0010), (0x7FE0, 0x0010)
_SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_IMPLICIT, _BIG_ENDIAN = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_MOST_ELEMENTS = 100_000


class _Element(NamedTuple):
    """A tag, the bytes of the value that follows, and whether more elements are in that."""

    tag: tuple[int, int]
    length: int
    nested: bool


def claims_too_much(path: Path) -> bool:
    """Tell whether an element of a file claims more bytes than are left of the file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        whole = stream.read(_START)[-4:] == b"DICM"
        stream.seek(_START if whole else 0)
        return _walk(stream, size, b"" if whole else _IMPLICIT)


def _walk(stream: IO[bytes], size: int, syntax: bytes) -> bool:
    packed = False  # in compressed pixels, whose items hold no elements (PS3.5, A.4)
    for _ in range(_MOST_ELEMENTS):
        element = _next(stream, syntax)
        if element is None:
            return False
        packed = packed or (element.tag == _PIXELS and element.length == _UNDEFINED)
        if element.length == _UNDEFINED:
            if not element.nested:
                return False  # only a whole reader knows where it ends
            continue
        if element.length > size - stream.tell():
            return True
        if element.tag == _SYNTAX:
            syntax = stream.read(element.length).strip(b"\0 ")
            if syntax == _DEFLATED:
                return False
        elif packed or not element.nested:
            stream.seek(element.length, os.SEEK_CUR)
    return False


def _next(stream: IO[bytes], syntax: bytes) -> _Element | None:
    """Read what stands before a value; None at the end of the file."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    tag = struct.unpack_from("<HH", head)
    in_meta = tag[0] == _META
    order = ">" if syntax == _BIG_ENDIAN and not in_meta else "<"
    tag = struct.unpack_from(f"{order}HH", head)
    kind = head[4:6]
    if tag[0] == _ITEMS or (syntax == _IMPLICIT and not in_meta):
        (length,) = struct.unpack_from(f"{order}I", head, 4)
        return _Element(tag, length, tag[0] == _ITEMS)
    if kind in _SHORT:
        return _Element(tag, struct.unpack_from(f"{order}H", head, 6)[0], False)
    if kind in _LONG:
        more = stream.read(4)
        if len(more) < 4:
            return None
        length = struct.unpack(f"{order}I", more)[0]
        return _Element(tag, length, kind == b"SQ" or (tag == _PIXELS and length == _UNDEFINED))
    (length,) = struct.unpack_from(f"{order}I", head, 4)
    return _Element(tag, length, False)
