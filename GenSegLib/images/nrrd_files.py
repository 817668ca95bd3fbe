"""Write images as NRRD files (format: https://teem.sourceforge.net/nrrd/format.html).

Light: numpy and the standard library.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..steps import Steps
from .file_names import is_nrrd_file
from .nrrd_checks import header_lines
from .volume import LPS_TO_RAS

Array = NDArray[Any]

_FRAMES = "time"  # kind of the axis across the slices of a stack
_PIXELS = {"px", "pixel", "pixels"}
_AXES = ("domain", "space", _FRAMES)  # kinds of axes other than those of components

_TYPES = {"float32": "float", "float64": "double"}  # other types have NumPy's names
_GZIP = 31  # `wbits` of zlib for a stream with the header of gzip


def is_stack_file(path: Path) -> bool:
    """Whether a NRRD file says that its slices are 2-D images of their own, such as frames.

    The axis across them is then of the kind "time".

    Raises:
        GenSegError: the header has no end.
        OSError: the file cannot be read.
    """
    axes = [kind for kind in _words(path, b"kinds") if kind in _AXES]
    return axes[2:] == [_FRAMES]


def is_in_pixels(path: Path) -> bool:
    """Whether a NRRD file says that its lengths are in pixels, as of a 2-D image without a scale.

    Raises:
        GenSegError: the header has no end.
        OSError: the file cannot be read.
    """
    units = {unit.strip('"') for unit in _words(path, b"space units")}
    return bool(units) and units <= _PIXELS


def _words(path: Path, field: bytes) -> list[str]:
    """Return the words of a field in lower case; none of another file."""
    if not (is_nrrd_file(path) and path.is_file()):
        return []
    with path.open("rb") as stream:
        fields = (line.lower().partition(b":") for line in header_lines(path, stream))
        text = next((value for name, _, value in fields if name == field), b"")
    return text.decode("ascii", "replace").split()


def write_nrrd_steps(
    path: Path,
    voxels: Array,
    affine: Array,
    compress: bool = False,
    is_stack: bool = False,
    unit: str = "mm",
) -> Steps[None]:
    """Write an image; a step for each slice.

    Args:
        path: of the file.
        voxels: numbers (k, j, i), or (k, j, i, component).
        affine: matrix (4, 4) from indices (i, j, k) to RAS mm.
        compress: with gzip at its fastest level.
        is_stack: whether the slices are 2-D images of their own, which the header then says.
        unit: of lengths, "mm" or "px"; pixels are said in the header.

    Raises:
        OSError: the file cannot be written, or the disk is full.
    """
    packer = zlib.compressobj(1, wbits=_GZIP) if compress else None
    little = voxels.dtype.newbyteorder("<")
    with path.open("wb") as file:
        file.write(_header(voxels, affine, compress, is_stack, unit).encode("ascii"))
        for part in voxels:
            data = np.ascontiguousarray(part, little).tobytes()
            file.write(data if packer is None else packer.compress(data))
            yield None
        if packer is not None:
            file.write(packer.flush())


def _header(voxels: Array, affine: Array, compress: bool, is_stack: bool, unit: str) -> str:
    to_lps = LPS_TO_RAS @ affine  # its own inverse
    directions = [_vector(to_lps[:3, axis]) for axis in range(3)]
    kinds = ["domain", "domain", _FRAMES if is_stack else "domain"]
    if voxels.ndim == 4:
        directions, kinds = ["none", *directions], ["vector", *kinds]
    fields = {
        "type": _TYPES.get(voxels.dtype.name, voxels.dtype.name),
        "dimension": voxels.ndim,
        "space": "left-posterior-superior",
        "sizes": " ".join(map(str, (*voxels.shape[3:], *voxels.shape[2::-1]))),
        "space directions": " ".join(directions),
        "kinds": " ".join(kinds),
        "endian": "little",
        "encoding": "gzip" if compress else "raw",
        "space origin": _vector(to_lps[:3, 3]),
    }
    if unit == "px":
        fields["space units"] = " ".join(['"pixel"'] * 3)
    return "".join(["NRRD0004\n", *(f"{name}: {value}\n" for name, value in fields.items()), "\n"])


def _vector(values: Array) -> str:
    return f"({','.join(repr(float(value)) for value in values)})"
