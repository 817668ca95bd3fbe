"""Image volumes and the comparison of their grids.

Light: numpy alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import GenSegError

MAX_CHANNELS = 8
GRID_TOLERANCE = 0.05  # in voxels
THICK = 2.0  # slices, relative to the voxels within them
_OBLIQUE = 0.9  # cosine with the nearest axis of the patient, below which slices are oblique
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # its own inverse
COLORS = 3
_COLOR_NOISE = 0.01  # of the range of intensities
_SAMPLES = 64  # along an axis, which suffice for most color images


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels (channel, x, y, z) and the affine (4, 4) from voxel indices to RAS in mm.

    Attributes:
        array: the voxels.
        affine: from voxel indices to RAS in mm.
        other_affine: of the other form of a NIfTI header, where sform and qform disagree.
        has_position: whether the file says where the voxels are.
        warnings: what is unclear about the position, or was changed.
        unit: of lengths: "mm", or "px" where the file of a 2-D image has no spacing.
        is_stack: whether the slices are 2-D images of their own, such as the frames of a clip.
    """

    array: np.ndarray
    affine: np.ndarray
    other_affine: np.ndarray | None = None
    has_position: bool = True
    warnings: tuple[str, ...] = ()
    unit: str = "mm"
    is_stack: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of voxels along x, y and z."""
        return self.array.shape[1:]

    @property
    def is_2d(self) -> bool:
        """Whether it is one 2-D image or several."""
        return self.is_stack or 1 in self.shape

    @property
    def slice_axis(self) -> int:
        """The axis across a 2-D image: of the frames of a stack, else of one voxel."""
        return 2 if self.is_stack or self.shape[2] == 1 else self.shape.index(1)

    @property
    def oblique_slice_axis(self) -> int | None:
        """The axis across thick slices that lie off the axes of the patient; None for others."""
        if self.is_2d:
            return None
        spacing = np.array(self.spacing)
        axis = int(spacing.argmax())
        is_thick = spacing[axis] >= THICK * np.sort(spacing)[1]
        is_oblique = np.abs(self.affine[:3, axis]).max() < _OBLIQUE * spacing[axis]
        return axis if is_thick and is_oblique else None

    def longest_side(self, shape: Sequence[int] | None = None) -> float:
        """Return the longer side of a 2-D image, or of a crop of this shape, in mm."""
        sides = np.multiply(self.spacing, shape or self.shape)
        return float(max(side for axis, side in enumerate(sides) if axis != self.slice_axis))

    def in_pixels(self, long_side: float = 0.0) -> Volume:
        """Return a 2-D image with a pixel as the unit of length.

        Args:
            long_side: if not 0, a pixel is that of an image of the same field of view with this
                many pixels along its longer side.
        """
        if long_side:
            scale = long_side / self.longest_side()
        elif self.unit == "px":
            return self
        else:
            scale = 1 / min(s for axis, s in enumerate(self.spacing) if axis != self.slice_axis)
        return replace(self, affine=self.affine @ np.diag([*[scale] * 3, 1]), unit="px")

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel spacing along x, y and z in mm."""
        return tuple(float(step) for step in np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def orientation(self) -> str:
        """The anatomical directions closest to x, y and z, such as "RAS"."""
        cosines = self.affine[:3, :3] / np.array(self.spacing)
        axes = max(
            itertools.permutations(range(3)),
            key=lambda order: sum(abs(cosines[axis, k]) for k, axis in enumerate(order)),
        )
        return "".join(("LR", "PA", "IS")[a][int(cosines[a, k] > 0)] for k, a in enumerate(axes))


def select_frame(volume: Volume, frame: int) -> Volume:
    """Return one slice of a stack; frames count from 1.

    Raises:
        GenSegError: there is no such frame.
    """
    count = volume.shape[2]
    if not 1 <= frame <= count:
        raise GenSegError(f"there is no frame {frame}; the frames are 1 to {count}")
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 2] * (0 if volume.is_stack else frame - 1)
    array = volume.array[..., frame - 1 : frame]
    return replace(volume, array=array, affine=affine, other_affine=None, is_stack=False)


def on_same_grid(one: Volume, other: Volume) -> bool:
    """Whether two volumes have equal shapes and all corners within 5 % of a voxel."""
    if one.shape != other.shape:
        return False
    offsets = (one.affine - other.affine) @ np.insert(_corners(one.shape), 3, 1, axis=1).T
    return bool(np.abs(offsets).max() <= GRID_TOLERANCE * min(one.spacing))


def place_on_grid(label: Volume, grid: Volume) -> Volume:
    """Copy a label (1, x, y, z) onto a grid that contains its voxels, without resampling.

    A DICOM SEG often stores only the slices with labeled voxels, in its own order of axes. Voxels
    of the grid outside the label are 0.

    Raises:
        GenSegError: the voxels do not coincide with the grid's, or a labeled voxel lies outside.
    """
    rotation, offset = index_transform(label, grid)
    source = np.argwhere(label.array[0])
    target = source @ rotation.T + offset
    if ((target < 0) | (target >= grid.shape)).any():
        raise GenSegError(
            "labeled voxels lie outside the image; check that label and image belong together"
        )
    array = np.zeros((1, *grid.shape), label.array.dtype)
    array[0][tuple(target.T)] = label.array[0][tuple(source.T)]
    return Volume(array, grid.affine)


def union_grid(one: Volume, other: Volume) -> Volume:
    """Return an empty volume on the first volume's grid, extended to cover both volumes.

    Raises:
        GenSegError: the voxels of the two volumes do not coincide.
    """
    rotation, offset = index_transform(other, one)
    ends = _corners(other.shape)[[0, -1]] @ rotation.T + offset
    both = np.array([_corners(one.shape)[[0, -1]], ends])
    low, high = both.min(axis=(0, 1)), both.max(axis=(0, 1))
    affine = one.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    return Volume(np.zeros((1, *(high - low + 1)), one.array.dtype), affine)


def index_transform(label: Volume, grid: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Return the signed permutation (3, 3) and offset (3,) from the label's indices to the grid's.

    Raises:
        GenSegError: the voxels do not coincide.
    """
    matrix = np.linalg.inv(grid.affine) @ label.affine
    rotation, offset = matrix[:3, :3].round().astype(int), matrix[:3, 3].round().astype(int)
    ends = _corners(label.shape)
    exact, rounded = ends @ matrix[:3, :3].T + matrix[:3, 3], ends @ rotation.T + offset
    is_permutation = all((np.abs(rotation).sum(axis=axis) == 1).all() for axis in (0, 1))
    if not is_permutation or np.abs(exact - rounded).max() > GRID_TOLERANCE:
        raise GenSegError(
            "the label's voxels do not coincide with the image's; check that the label belongs to "
            "this image"
        )
    return rotation, offset


def _corners(shape: tuple[int, ...]) -> np.ndarray:
    """Return the indices of the corner voxels (8, 3); first and last are opposite."""
    return np.array(list(itertools.product(*((0, size - 1) for size in shape))))


def format_channels(count: int) -> str:
    """Return "1 channel" or "3 channels"."""
    return "1 channel" if count == 1 else f"{count} channels"


def is_gray_in_color(array: np.ndarray) -> bool:
    """Return whether an image (channel, x, y, z) is gray, but stored in three colors.

    X-rays and ultrasound are often exported like that, as JPEG with some noise.
    """
    if len(array) != COLORS:
        return False
    steps = [max(1, size // _SAMPLES) for size in array.shape[1:]]
    sample = array[(slice(None), *(slice(None, None, step) for step in steps))]
    noise = _COLOR_NOISE * (float(array[0].max()) - float(array[0].min()))
    return all(float(np.ptp(part, axis=0).max()) <= noise for part in (sample, array))
