"""NIfTI files as other programs write them, for tests: any forms, codes, units and versions."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np

from GenSegLib.images.nifti_header import Forms, forms_of, pack_header

UNSET = Forms(0, 0, (1.0, 1.0, 1.0, 1.0), (0.0,) * 6, (0.0,) * 12, 2)


def forms(
    sform: np.ndarray | None, qform: np.ndarray | None, codes: tuple[int, int] = (2, 1)
) -> Forms:
    """Return the forms of a header with sform and qform (4, 4) and their codes; None is unset."""
    by_sform = UNSET if sform is None else forms_of(sform)
    by_qform = by_sform if qform is None else forms_of(qform)
    return replace(
        by_qform,
        rows=by_sform.rows,
        sform_code=0 if sform is None else codes[0],
        qform_code=0 if qform is None else codes[1],
    )


def write_with_forms(
    path: Path, array: np.ndarray, form: Forms, scaling: tuple[float, float] = (1.0, 0.0)
) -> Path:
    """Write (x, y, z) voxels with exactly these forms and this scaling; gzipped if named so."""
    head = bytearray(pack_header(array.shape, array.dtype, form))
    struct.pack_into("<2f", head, 112, *scaling)
    data = bytes(head) + array.tobytes(order="F")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def write_nifti_2(path: Path, array: np.ndarray, affine: np.ndarray, order: str = "<") -> Path:
    """Write (x, y, z) int16 voxels as NIfTI-2 with an sform of code 1 in either byte order."""
    head = bytearray(544)
    sizes = [float(size) for size in np.linalg.norm(affine[:3, :3], axis=0)]
    for offset, kind, values in (
        (0, "i", [540]),
        (4, "8s", [b"n+2\0\r\n\x1a\n"]),
        (12, "2h", [4, 16]),
        (16, "8q", [3, *array.shape, 1, 1, 1, 1]),
        (104, "8d", [1.0, *sizes, 1, 1, 1, 1]),
        (168, "q", [544]),
        (176, "2d", [1.0, 0.0]),
        (344, "2i", [0, 1]),
        (400, "12d", affine[:3].ravel().tolist()),
        (500, "i", [2]),
    ):
        struct.pack_into(order + kind, head, offset, *values)
    data = bytes(head) + array.astype(order + "i2").tobytes(order="F")
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path
