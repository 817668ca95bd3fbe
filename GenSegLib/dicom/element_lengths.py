"""Find DICOM elements that declare more bytes than the file has, before GDCM reads them.

GDCM allocates as much memory as an element declares, up to 4 GB, before it notices the end of the
file. Elements are parsed as in PS3.5, chapter 7; parsing ends where only a complete reader could
continue, and GDCM decides.

Light: the standard library alone.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import IO, NamedTuple

_PREAMBLE = 132  # with "DICM", PS3.10, 7.1
_UNDEFINED = 0xFFFFFFFF
_ITEM_GROUP, _META_GROUP = 0xFFFE, 0x0002
_TRANSFER_SYNTAX, _PIXEL_DATA = (0x0002, 0x0010), (0x7FE0, 0x0010)
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_IMPLICIT, _BIG_ENDIAN = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2"
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_MAX_ELEMENTS = 100_000


class _Element(NamedTuple):
    """Tag, length of the value, and whether the value consists of further elements."""

    tag: tuple[int, int]
    length: int
    nested: bool


def exceeds_file(path: Path) -> bool:
    """Whether an element declares more bytes than are left in the file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        has_preamble = stream.read(_PREAMBLE)[-4:] == b"DICM"
        start = _PREAMBLE if has_preamble else 0
        stream.seek(start)
        is_explicit = has_preamble or stream.read(6)[4:] in SHORT_VRS
        stream.seek(start)
        return _parse(stream, size, b"" if is_explicit else _IMPLICIT)


def _parse(stream: IO[bytes], size: int, syntax: bytes) -> bool:
    encapsulated = False  # compressed pixel data, whose items hold no elements (PS3.5, A.4)
    for _ in range(_MAX_ELEMENTS):
        element = _next_element(stream, syntax)
        if element is None:
            return False
        encapsulated |= element.tag == _PIXEL_DATA and element.length == _UNDEFINED
        if element.length == _UNDEFINED:
            if not element.nested:
                return False
            continue
        if element.length > size - stream.tell():
            return True
        if element.tag == _TRANSFER_SYNTAX:
            syntax = stream.read(element.length).strip(b"\0 ")
            if syntax == _DEFLATED:
                return False
        elif encapsulated or not element.nested:
            stream.seek(element.length, os.SEEK_CUR)
    return False


def _next_element(stream: IO[bytes], syntax: bytes) -> _Element | None:
    """Read tag, value representation and length; return None at the end of the file."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    in_meta = struct.unpack_from("<H", head)[0] == _META_GROUP
    order = ">" if syntax == _BIG_ENDIAN and not in_meta else "<"
    tag = struct.unpack_from(f"{order}HH", head)
    (long_length,) = struct.unpack_from(f"{order}I", head, 4)
    if tag[0] == _ITEM_GROUP or (syntax == _IMPLICIT and not in_meta):
        return _Element(tag, long_length, tag[0] == _ITEM_GROUP)
    representation = head[4:6]
    if representation in SHORT_VRS:
        return _Element(tag, struct.unpack_from(f"{order}H", head, 6)[0], False)
    if representation not in LONG_VRS:
        return _Element(tag, long_length, False)
    more = stream.read(4)
    if len(more) < 4:
        return None
    length = struct.unpack(f"{order}I", more)[0]
    is_sequence = representation == b"SQ"
    return _Element(tag, length, is_sequence or (tag == _PIXEL_DATA and length == _UNDEFINED))
