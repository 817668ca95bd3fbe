"""Holds a MetaImage (.mha, .mhd) to its header before ITK reads it.

ITK's MetaIO believes the header: it writes beyond its memory, or gives what the memory held, where
packed voxels are more or fewer than the header says, or a field longer than its own. The format:
https://itk.org/Wiki/ITK/MetaIO/Documentation

Light: the standard library alone.
"""

from __future__ import annotations

import math
import os
import re
import zlib
from pathlib import Path
from typing import IO

from ..errors import GenSegError
from .claimed_sizes import require_plausible

_SIZES = {
    **{"MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4},
    **{"MET_LONG": 8, "MET_ULONG": 8, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8},
    **{"MET_FLOAT": 4, "MET_DOUBLE": 8},
}
_LONGEST_TEXT, _LONGEST_LINE, _MOST_LINES = 240, 1000, 500
_MOST_CHANNELS = 256
_CHUNK = 1 << 20
_LINE = re.compile(r"\s*(?P<name>[^=:\n]+?)\s*[=:]\s*(?P<value>.*?)\s*\n")
_NUMBERS = re.compile(r"[-+.\deE\s]*")

Fields = dict[str, str]


def require_sound_metaimage(path: Path) -> None:
    """Compare the voxels of a MetaImage with its header.

    Raises:
        GenSegError: they do not agree, or the header is none that ITK can be trusted with.
        OSError: a file cannot be read.
    """
    with path.open("rb") as stream:
        fields = _header(path, stream)
        expected = _claimed(path, fields)
        data = fields["ElementDataFile"]
        if data.upper() == "LOCAL":
            require_plausible(path, expected, [path])
            _check_voxels(path, fields, stream, expected)
            return
    detached = path.parent / data
    if data == "LIST" or "%" in data or not detached.is_file():
        raise GenSegError(f"{path}: its voxels are looked for in {data!r}; copy that file too")
    require_plausible(path, expected, [detached])
    with detached.open("rb") as stream:
        _check_voxels(path, fields, stream, expected)


def _header(path: Path, stream: IO[bytes]) -> Fields:
    """Read the fields up to the last one, which says where the voxels are."""
    fields: Fields = {}
    for _ in range(_MOST_LINES):
        line = _LINE.fullmatch(stream.readline(_LONGEST_LINE).decode("latin-1"))
        if line is None or line["name"] in fields:
            break
        if len(line["value"]) > _LONGEST_TEXT and not _NUMBERS.fullmatch(line["value"]):
            break
        fields[line["name"]] = line["value"]
        if line["name"] == "ElementDataFile":
            return fields
    raise _damaged(path)


def _claimed(path: Path, fields: Fields) -> int:
    """Give the bytes of the voxels."""
    axes, channels = (
        _number(path, fields, "NDims"),
        _number(path, fields, "ElementNumberOfChannels", 1),
    )
    texts = fields.get("DimSize", "").split()
    sizes = [int(text) for text in texts if text.isdecimal()]
    binary = fields.get("BinaryData", "True").lower() == "true"
    sound = binary and 2 <= axes <= 4 and 1 <= channels <= _MOST_CHANNELS
    sound = sound and len(sizes) == len(texts) == axes and min(sizes) >= 1
    if not sound or fields.get("ElementType") not in _SIZES:
        raise _damaged(path)
    return math.prod(sizes) * channels * _SIZES[fields["ElementType"]]


def _check_voxels(path: Path, fields: Fields, stream: IO[bytes], expected: int) -> None:
    """Count the voxels' bytes from where the stream stands."""
    start = stream.tell()
    present = stream.seek(0, os.SEEK_END) - start
    stream.seek(start)
    if fields.get("CompressedData", "False").lower() == "true":
        if _number(path, fields, "CompressedDataSize", present) != present:
            raise _damaged(path)
        present = _unpacked_length(path, stream, expected)
        if present > expected:
            raise _damaged(path)
    else:
        present -= max(0, _number(path, fields, "HeaderSize", 0))
    if present < expected:
        raise GenSegError(
            f"{path}: truncated, {present} of {expected} bytes are there; copy or export it again"
        )


def _number(path: Path, fields: Fields, name: str, unstated: int = 0) -> int:
    try:
        return int(fields.get(name, unstated))
    except ValueError:
        raise _damaged(path) from None


def _unpacked_length(path: Path, stream: IO[bytes], most: int) -> int:
    """Unpack the voxels, no further than a little beyond what is expected, and count them."""
    unpacker, length = zlib.decompressobj(wbits=47), 0
    try:
        while length <= most and not unpacker.eof:
            packed = unpacker.unconsumed_tail or stream.read(_CHUNK)
            if not packed:
                length += len(unpacker.flush())
                break
            length += len(unpacker.decompress(packed, _CHUNK))
    except zlib.error:
        raise _damaged(path) from None
    return length


def _damaged(path: Path) -> GenSegError:
    return GenSegError(f"{path}: the MetaImage header makes no sense; copy or export it again")
