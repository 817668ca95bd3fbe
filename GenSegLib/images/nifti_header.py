"""Headers of NIfTI files, and the rule for their two forms.

A NIfTI header may place its voxels twice, by the sform and by the qform, and programs differ in
which one they prefer. GenSeg follows ITK and 3D Slicer (ITK pull request 1868): the sform if its
code is 1, if there is no qform, or if both agree; the qform otherwise. Where neither is set, the
voxel sizes alone count, with axes to the left, posterior and superior. nibabel, FSL and FreeSurfer
always prefer the sform. Layouts as in nifti1.h and nifti2.h, https://nifti.nimh.nih.gov

Light: numpy alone.
"""

from __future__ import annotations

import itertools
import math
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import GenSegError

MAX_HEADER = 540
ORTHOGONALITY_TOLERANCE = 5e-3
FORM_TOLERANCE = 0.1  # mm
_MAX_VOXEL_OFFSET = 1 << 31
_MM_OF_UNIT = {1: 1e3, 3: 1e-3}  # meter and micrometer; anything else is read as mm
_SCANNER = 1
_NO_FORM = np.diag([-1.0, -1.0, 1.0])
_COMMON = ("u1", "i2", "u2", "i4", "u4")  # ITK reads NaN of floats as 0
VOXEL_TYPES = {
    **{2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"},
    **{1024: "i8", 1280: "u8"},
}


class _Layout(NamedTuple):
    """Offsets and `struct` formats of header fields, which differ between NIfTI-1 and NIfTI-2."""

    size: int
    magic: int
    dim: tuple[int, str]
    datatype: int
    pixdim: tuple[int, str]
    voxel_offset: tuple[int, str]
    scaling: tuple[int, str]
    units: tuple[int, str]
    codes: tuple[int, str]
    quaternion: tuple[int, str]
    rows: tuple[int, str]


_NIFTI_1 = _Layout(
    348,
    magic=344,
    dim=(40, "8h"),
    datatype=70,
    pixdim=(76, "8f"),
    voxel_offset=(108, "f"),
    scaling=(112, "2f"),
    units=(123, "B"),
    codes=(252, "2h"),
    quaternion=(256, "6f"),
    rows=(280, "12f"),
)
_NIFTI_2 = _Layout(
    540,
    magic=4,
    dim=(16, "8q"),
    datatype=12,
    pixdim=(104, "8d"),
    voxel_offset=(168, "q"),
    scaling=(176, "2d"),
    units=(500, "i"),
    codes=(344, "2i"),
    quaternion=(352, "6d"),
    rows=(400, "12d"),
)


@dataclass(frozen=True)
class Forms:
    """Where a header places its voxels, as stored; compared by value.

    Attributes:
        qform_code: 0 if there is no qform.
        sform_code: 0 if there is no sform.
        pixdim: handedness of the qform (-1 or 1) and the three voxel sizes.
        quaternion: b, c, d and the offset of the qform.
        rows: of the sform, 3 x 4.
        units: xyzt_units.
    """

    qform_code: int
    sform_code: int
    pixdim: tuple[float, ...]
    quaternion: tuple[float, ...]
    rows: tuple[float, ...]
    units: int

    @property
    def millimeters(self) -> float:
        """Length of the header's unit in mm."""
        return _MM_OF_UNIT.get(self.units & 7, 1.0)

    @property
    def sform(self) -> np.ndarray:
        """Affine of the sform, 4 x 4 RAS in mm."""
        affine = np.eye(4)
        affine[:3] = np.reshape(self.rows, (3, 4)) * self.millimeters
        return affine

    @property
    def qform(self) -> np.ndarray:
        """Affine of the qform, 4 x 4 RAS in mm."""
        affine = np.eye(4)
        sizes = np.abs(self.pixdim[1:4]) * (1, 1, -1 if self.pixdim[0] < 0 else 1)
        affine[:3, :3] = _rotation(*self.quaternion[:3]) * sizes
        affine[:3, 3] = self.quaternion[3:]
        affine[:3] *= self.millimeters
        return affine


@dataclass(frozen=True)
class NiftiHeader:
    """Fields of a NIfTI header.

    Attributes:
        shape: voxels along each axis, up to seven.
        datatype: code of the voxel type.
        bits: per voxel.
        voxel_offset: of the first voxel in the uncompressed file.
        byte_order: "<" or ">".
        slope: factor of stored values; 1 if they are not scaled, for which files store 0.
        intercept: added to scaled values.
        forms: where the voxels are.
        is_common: whether ITK reads version, type and scaling as this module does.
    """

    shape: tuple[int, ...]
    datatype: int
    bits: int
    voxel_offset: int
    byte_order: str
    slope: float
    intercept: float
    forms: Forms
    is_common: bool

    @property
    def file_size(self) -> int:
        """The size in bytes that the uncompressed file must have."""
        return self.voxel_offset + math.prod(self.shape) * self.bits // 8

    @property
    def has_position(self) -> bool:
        """Whether one of the two forms is set."""
        return self.forms.sform_code > 0 or self.forms.qform_code > 0

    @property
    def affine(self) -> np.ndarray:
        """Affine by the rule of this module, 4 x 4 RAS in mm."""
        return self._placement[0]

    @property
    def other_affine(self) -> np.ndarray | None:
        """Affine of the other form if it differs by more than 0.1 mm within the image."""
        return self._placement[1]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is unclear about the position of the voxels, and what was taken."""
        return self._placement[2]

    @cached_property
    def _placement(self) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
        forms = self.forms
        if not self.has_position:
            affine = np.eye(4)
            affine[:3, :3] = _NO_FORM * np.abs(forms.pixdim[1:4]) * forms.millimeters
            return affine, None, (_NO_FORM_WARNING,)
        if forms.sform_code <= 0:
            return forms.qform, None, ()
        if forms.qform_code <= 0:
            return self._sform_alone()
        sform, qform = forms.sform, forms.qform
        distance = self._distance(sform, qform)
        if distance <= FORM_TOLERANCE and is_orthogonal(sform):
            return sform, None, ()
        by_sform = forms.sform_code == _SCANNER and is_orthogonal(sform)
        name = "sform" if by_sform else "qform"
        warning = (
            f"sform (code {forms.sform_code}) and qform (code {forms.qform_code}) of the header "
            f"place the image up to {distance:.3g} mm apart; the {name} is used, as in ITK and "
            "3D Slicer (nibabel, FSL and FreeSurfer take the sform)"
        )
        chosen, other = (sform, qform) if by_sform else (qform, sform)
        return chosen, other, (warning,)

    def _sform_alone(self) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
        """Compare the sform with the voxel sizes, which ITK combines with its directions."""
        sform, sizes = self.forms.sform, np.abs(self.forms.pixdim[1:4]) * self.forms.millimeters
        other = sform.copy()
        own = np.linalg.norm(sform[:3, :3], axis=0)
        other[:3, :3] *= sizes / np.where(own > 0, own, 1)
        distance = self._distance(sform, other)
        if distance <= FORM_TOLERANCE:
            return sform, None, ()
        warning = (
            f"the voxel sizes of the sform ({_format(own)} mm) and of pixdim ({_format(sizes)} mm) "
            "differ; those of the sform are used"
        )
        return sform, other, (warning,)

    def _distance(self, one: np.ndarray, other: np.ndarray) -> float:
        """Return the largest distance in mm between a corner voxel's two positions."""
        ends = [(0, size - 1) for size in (*self.shape[:3], 1, 1)[:3]]
        corners = np.array([(*corner, 1) for corner in itertools.product(*ends)])
        distance = np.linalg.norm((corners @ (one - other).T)[:, :3], axis=1).max()
        return float(distance) if np.isfinite(distance) else math.inf


_NO_FORM_WARNING = (
    "the header has neither sform nor qform; the voxel sizes alone are used, with axes to the "
    "left, posterior and superior, as in ITK and 3D Slicer; check left and right"
)


def is_nifti_name(path: Path) -> bool:
    """Whether the name is that of a NIfTI file, or of a pair of header (.hdr) and voxels (.img)."""
    return path.name.lower().endswith((".nii", ".nii.gz")) or is_pair_name(path)


def is_pair_name(path: Path) -> bool:
    """Whether the name is that of one of two files with header and voxels."""
    return path.suffix.lower() in (".hdr", ".img")


def parse_header(path: Path, head: bytes) -> NiftiHeader:
    """Parse the first bytes of an uncompressed NIfTI-1 or NIfTI-2 file.

    Args:
        path: of the file, for messages.
        head: the first `MAX_HEADER` bytes, or fewer where the file is shorter.

    Raises:
        GenSegError: this is no valid header, or a voxel size is not positive.
    """
    for order, layout in itertools.product("<>", (_NIFTI_1, _NIFTI_2)):
        if len(head) >= layout.size and struct.unpack_from(order + "i", head)[0] == layout.size:
            return _parse_layout(layout, order, path, head)
    raise GenSegError(f"{path}: not a NIfTI file; copy or export the file again")


def _parse_layout(layout: _Layout, order: str, path: Path, head: bytes) -> NiftiHeader:
    def field(entry: tuple[int, str]) -> tuple:
        return struct.unpack_from(order + entry[1], head, entry[0])

    axes, *sizes = field(layout.dim)
    datatype, bits = field((layout.datatype, "2h"))
    (offset,) = field(layout.voxel_offset)
    known = VOXEL_TYPES.get(datatype)
    width = np.dtype(known).itemsize * 8 if known else bits
    has_size = 1 <= axes <= 7 and min(sizes[:axes]) >= 1
    if not has_size or bits < 1 or bits != width or not 0 <= offset < _MAX_VOXEL_OFFSET:
        raise GenSegError(f"{path}: invalid NIfTI header; copy or export the file again")
    pixdim = field(layout.pixdim)
    _require_positive(path, pixdim[1 : 1 + min(axes, 3)])
    has_forms = head[layout.magic : layout.magic + 2] in (b"n+", b"ni")
    if is_pair_name(path) and not has_forms:
        raise GenSegError(
            f"{path}: the header (Analyze 7.5) does not say which side is left; convert the image "
            "to NIfTI with the program that wrote it"
        )
    qform_code, sform_code = field(layout.codes) if has_forms else (0, 0)
    slope, intercept = field(layout.scaling) if has_forms else (1.0, 0.0)
    forms = Forms(
        *(qform_code, sform_code, pixdim[:4], field(layout.quaternion), field(layout.rows)),
        units=field(layout.units)[0],
    )
    return NiftiHeader(
        *(tuple(sizes[:axes]), datatype, bits, int(offset), order),
        *_scaling(slope, intercept),
        forms,
        is_common=layout is _NIFTI_1 and known in _COMMON and not slope == 0 != intercept,
    )


def _scaling(slope: float, intercept: float) -> tuple[float, float]:
    """Return slope and intercept; a slope of 0 or NaN means that values are not scaled."""
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    return slope, intercept if math.isfinite(intercept) else 0.0


def _require_positive(path: Path, sizes: tuple[float, ...]) -> None:
    """Check the voxel sizes; some programs store negative ones for flipped axes."""
    if not all(math.isfinite(size) and size != 0 for size in sizes):
        raise GenSegError(
            f"{path}: the spacing {_format(sizes)} mm is not positive; correct it in the header"
        )


def is_orthogonal(affine: np.ndarray) -> bool:
    """Whether the axes of an affine are orthogonal to 5e-3, the product of their directions."""
    steps = affine[:3, :3]
    sizes = np.linalg.norm(steps, axis=0)
    if not np.isfinite(affine).all() or not (sizes > 0).all():
        return False
    directions = steps / sizes
    return bool(np.abs(directions.T @ directions - np.eye(3)).max() <= ORTHOGONALITY_TOLERANCE)


def pack_header(shape: tuple[int, ...], dtype: np.dtype, forms: Forms) -> bytes:
    """Return the header of a NIfTI-1 file with the voxels 352 bytes from its start.

    Raises:
        GenSegError: NIfTI-1 cannot hold the voxel type or an axis of this length.
    """
    code = next((k for k, name in VOXEL_TYPES.items() if np.dtype(name) == dtype), None)
    if code is None or max(shape) > np.iinfo(np.int16).max:
        raise GenSegError(f"NIfTI-1 cannot hold {shape} voxels of {dtype}; choose .nrrd")
    head = bytearray(352)
    layout = _NIFTI_1
    for (offset, kind), values in (
        ((0, "i"), (layout.size,)),
        (layout.dim, (len(shape), *shape, *[1] * (7 - len(shape)))),
        ((layout.datatype, "2h"), (code, dtype.itemsize * 8)),
        (layout.pixdim, (*forms.pixdim, 1, 1, 1, 1)),
        (layout.voxel_offset, (352.0,)),
        (layout.scaling, (1.0, 0.0)),
        (layout.units, (forms.units,)),
        (layout.codes, (forms.qform_code, forms.sform_code)),
        (layout.quaternion, forms.quaternion),
        (layout.rows, forms.rows),
        ((layout.magic, "4s"), (b"n+1\0",)),
    ):
        struct.pack_into("<" + kind, head, offset, *values)
    return bytes(head)


def forms_of(affine: np.ndarray) -> Forms:
    """Return forms that both place voxels by an affine in mm, with code 1 (scanner)."""
    steps = affine[:3, :3]
    sizes = np.linalg.norm(steps, axis=0)
    left, _, right = np.linalg.svd(steps / sizes)
    rotation = left @ right  # the nearest orthonormal matrix
    handedness = float(np.sign(np.linalg.det(rotation)))
    quaternion = _quaternion(rotation * (1, 1, handedness))
    return Forms(
        *(_SCANNER, _SCANNER, (handedness, *map(float, sizes))),
        (*quaternion, *map(float, affine[:3, 3])),
        tuple(map(float, affine[:3].ravel())),
        units=2,
    )


def _rotation(b: float, c: float, d: float) -> np.ndarray:
    """Return the rotation matrix of a unit quaternion whose real part is not negative."""
    square = b * b + c * c + d * d
    a = math.sqrt(max(0.0, 1 - square)) if math.isfinite(square) else math.nan
    if square > 1:
        b, c, d = (value / math.sqrt(square) for value in (b, c, d))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


def _quaternion(rotation: np.ndarray) -> tuple[float, float, float]:
    """Return b, c and d of a rotation matrix; the real part is not negative.

    The quaternion is the eigenvector to the largest eigenvalue of a symmetric matrix
    (Bar-Itzhack, J Guid Control Dyn 2000, doi:10.2514/2.4654), stable for every rotation.
    """
    m = rotation
    matrix = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [0, m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [0, 0, m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [0, 0, 0, m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    a, b, c, d = np.linalg.eigh(matrix, UPLO="U")[1][:, -1]
    sign = -1.0 if a < 0 else 1.0
    return float(sign * b), float(sign * c), float(sign * d)


def _format(sizes: tuple[float, ...] | np.ndarray) -> str:
    return " x ".join(f"{size:g}" for size in sizes)
