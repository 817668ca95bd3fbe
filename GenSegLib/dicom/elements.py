"""Walk through the elements of a DICOM file, without its pixels.

GDCM allocates as much memory as an element declares, up to 4 GB, before it notices the end of the
file, and ITK shows no elements within sequences. Elements are parsed as in PS3.5, chapter 7;
parsing ends where only a complete reader could continue.

Light: the standard library alone.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterator
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
_MAX_ELEMENTS, _MAX_VALUE = 100_000, 4096

Tag = tuple[int, int]


class _Element(NamedTuple):
    """Tag, length of the value, and whether the value consists of further elements."""

    tag: Tag
    length: int
    nested: bool


class _Value(NamedTuple):
    """An element, and the byte order at it."""

    element: _Element
    order: str


def exceeds_file(path: Path) -> bool:
    """Whether an element declares more bytes than are left in the file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        size = _size(stream)
        return any(value.element.length > size - stream.tell() for value in _walk(stream))


def find_values(
    path: Path, tags: Collection[Tag], sequences: Collection[Tag] = ()
) -> list[tuple[Tag, bytes, str]]:
    """Return the elements with these tags in the file's order, those within sequences too.

    Args:
        path: of the file.
        tags: to find.
        sequences: tags of sequences to enter where implicit syntax does not show them.

    Returns:
        Tag, value and byte order ("<" or ">") of each.

    Raises:
        OSError: the file cannot be read.
    """
    found = []
    with path.open("rb") as stream:
        size = _size(stream)
        for (tag, length, _), order in _walk(stream, sequences):
            if length > size - stream.tell():
                break
            if tag in tags and length <= _MAX_VALUE:
                found.append((tag, stream.read(length), order))
                stream.seek(-length, os.SEEK_CUR)
    return found


def _size(stream: IO[bytes]) -> int:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    return size


def _walk(stream: IO[bytes], sequences: Collection[Tag] = ()) -> Iterator[_Value]:
    """Yield all elements with a defined length; the stream is then at the start of the value."""
    has_preamble = stream.read(_PREAMBLE)[-4:] == b"DICM"
    start = _PREAMBLE if has_preamble else 0
    stream.seek(start)
    is_explicit = has_preamble or stream.read(6)[4:] in SHORT_VRS
    stream.seek(start)
    syntax = b"" if is_explicit else _IMPLICIT
    encapsulated = False  # compressed pixel data, whose items hold no elements (PS3.5, A.4)
    for _ in range(_MAX_ELEMENTS):
        element = _next_element(stream, syntax)
        if element is None:
            return
        nested = element.nested or element.tag in sequences
        encapsulated |= element.tag == _PIXEL_DATA and element.length == _UNDEFINED
        if element.length == _UNDEFINED:
            if not nested:
                return
            continue
        value = stream.tell()
        yield _Value(element, ">" if syntax == _BIG_ENDIAN else "<")
        if element.tag == _TRANSFER_SYNTAX:
            syntax = stream.read(element.length).strip(b"\0 ")
            if syntax == _DEFLATED:
                return
        elif encapsulated or not nested:
            stream.seek(value + element.length)


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
