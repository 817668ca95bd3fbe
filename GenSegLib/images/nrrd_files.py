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
from .volume import LPS_TO_RAS

Array = NDArray[Any]

SLICE_KIND = "NRRD_kinds[2]"
"""ITK's name of the header field with the kind of the axis across slices."""

FRAMES = "time"
"""Kind of that axis in a stack of 2-D images, such as the frames of a clip."""

_TYPES = {"float32": "float", "float64": "double"}  # other types have NumPy's names
_GZIP = 31  # `wbits` of zlib for a stream with the header of gzip


def write_nrrd_steps(
    path: Path, voxels: Array, affine: Array, compress: bool = False, is_stack: bool = False
) -> Steps[None]:
    """Write an image; a step for each slice.

    Args:
        path: of the file.
        voxels: numbers (k, j, i), or (k, j, i, component).
        affine: matrix (4, 4) from indices (i, j, k) to RAS mm.
        compress: with gzip at its fastest level.
        is_stack: whether the slices are 2-D images of their own, which the header then says.

    Raises:
        OSError: the file cannot be written, or the disk is full.
    """
    packer = zlib.compressobj(1, wbits=_GZIP) if compress else None
    little = voxels.dtype.newbyteorder("<")
    with path.open("wb") as file:
        file.write(_header(voxels, affine, compress, is_stack).encode("ascii"))
        for part in voxels:
            data = np.ascontiguousarray(part, little).tobytes()
            file.write(data if packer is None else packer.compress(data))
            yield None
        if packer is not None:
            file.write(packer.flush())


def _header(voxels: Array, affine: Array, compress: bool, is_stack: bool) -> str:
    to_lps = LPS_TO_RAS @ affine  # its own inverse
    directions = [_vector(to_lps[:3, axis]) for axis in range(3)]
    kinds = ["domain", "domain", FRAMES if is_stack else "domain"]
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
    return "".join(["NRRD0004\n", *(f"{name}: {value}\n" for name, value in fields.items()), "\n"])


def _vector(values: Array) -> str:
    return f"({','.join(repr(float(value)) for value in values)})"
