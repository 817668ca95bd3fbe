"""Check a MetaImage (.mha, .mhd) against its header before ITK reads it.

ITK's MetaIO trusts the header: it writes beyond its buffer, or returns uninitialized memory, if
the compressed voxels do not match the declared size or a field is too long.
Format: https://itk.org/Wiki/ITK/MetaIO/Documentation

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
from .size_checks import require_plausible_size

_ELEMENT_BYTES = {
    **{"MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4},
    **{"MET_LONG": 8, "MET_ULONG": 8, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8},
    **{"MET_FLOAT": 4, "MET_DOUBLE": 8},
}
_MAX_TEXT, _MAX_LINE, _MAX_LINES, _MAX_CHANNELS = 240, 1000, 500, 256
_CHUNK = 1 << 20
_LINE = re.compile(r"\s*(?P<name>[^=:\n]+?)\s*[=:]\s*(?P<value>.*?)\s*\n")
_NUMBERS = re.compile(r"[-+.\deE\s]*")

Fields = dict[str, str]


def require_valid_metaimage(path: Path) -> None:
    """Compare the voxel data of a MetaImage with its header.

    Raises:
        GenSegError: the size does not match, or the header is invalid.
        OSError: a file cannot be read.
    """
    with path.open("rb") as stream:
        fields = _read_header(path, stream)
        expected = _declared_bytes(path, fields)
        data = fields["ElementDataFile"]
        if data.upper() == "LOCAL":
            require_plausible_size(path, expected, [path])
            _check_voxels(path, fields, stream, expected)
            return
    detached = path.parent / data
    if data == "LIST" or "%" in data or not detached.is_file():
        raise GenSegError(f"{path}: the data file {data!r} is missing; copy it next to the header")
    require_plausible_size(path, expected, [detached])
    with detached.open("rb") as stream:
        _check_voxels(path, fields, stream, expected)


def _read_header(path: Path, stream: IO[bytes]) -> Fields:
    """Read the fields up to the last one, `ElementDataFile`."""
    fields: Fields = {}
    for _ in range(_MAX_LINES):
        line = _LINE.fullmatch(stream.readline(_MAX_LINE).decode("latin-1"))
        if line is None or line["name"] in fields:
            break
        if len(line["value"]) > _MAX_TEXT and not _NUMBERS.fullmatch(line["value"]):
            break
        fields[line["name"]] = line["value"]
        if line["name"] == "ElementDataFile":
            return fields
    raise _invalid(path)


def _declared_bytes(path: Path, fields: Fields) -> int:
    axes = _integer(path, fields, "NDims")
    channels = _integer(path, fields, "ElementNumberOfChannels", 1)
    texts = fields.get("DimSize", "").split()
    sizes = [int(text) for text in texts if text.isdecimal()]
    is_binary = fields.get("BinaryData", "True").lower() == "true"
    is_valid = is_binary and 2 <= axes <= 4 and 1 <= channels <= _MAX_CHANNELS
    is_valid = is_valid and len(sizes) == len(texts) == axes and min(sizes) >= 1
    if not is_valid or fields.get("ElementType") not in _ELEMENT_BYTES:
        raise _invalid(path)
    return math.prod(sizes) * channels * _ELEMENT_BYTES[fields["ElementType"]]


def _check_voxels(path: Path, fields: Fields, stream: IO[bytes], expected: int) -> None:
    """Compare the size of the voxel data from the stream's position on with the expected one."""
    start = stream.tell()
    present = stream.seek(0, os.SEEK_END) - start
    stream.seek(start)
    if fields.get("CompressedData", "False").lower() == "true":
        if _integer(path, fields, "CompressedDataSize", present) != present:
            raise _invalid(path)
        present = _decompressed_size(path, stream, expected)
        if present > expected:
            raise _invalid(path)
    else:
        present -= max(0, _integer(path, fields, "HeaderSize", 0))
    if present < expected:
        raise GenSegError(
            f"{path}: truncated ({present} of {expected} bytes); copy or export the file again"
        )


def _integer(path: Path, fields: Fields, name: str, default: int = 0) -> int:
    try:
        return int(fields.get(name, default))
    except ValueError:
        raise _invalid(path) from None


def _decompressed_size(path: Path, stream: IO[bytes], limit: int) -> int:
    """Return the decompressed size of the voxel data; stop soon after `limit`."""
    decompressor, size = zlib.decompressobj(wbits=47), 0
    try:
        while size <= limit and not decompressor.eof:
            compressed = decompressor.unconsumed_tail or stream.read(_CHUNK)
            if not compressed:
                size += len(decompressor.flush())
                break
            size += len(decompressor.decompress(compressed, _CHUNK))
    except zlib.error:
        raise _invalid(path) from None
    return size


def _invalid(path: Path) -> GenSegError:
    return GenSegError(f"{path}: invalid MetaImage header; copy or export the file again")
