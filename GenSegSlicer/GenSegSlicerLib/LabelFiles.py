"""Reading of label files into the geometry of the segmented volume.

Files that the module wrote are read by `readLabelImage`, those of other programs by
`readPlacedLabel`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.case_annotation import COMPLETE
from GenSegLib.cases import Case
from GenSegLib.errors import GenSegError
from GenSegLib.images.file_names import is_raster_file
from GenSegLib.images.nifti import is_nifti_file, read_header
from GenSegLib.images.volume import Volume
from GenSegLib.label_maps import MAX_LABEL
from GenSegSlicerLib.Geometry import cornerIndices, localIJKToRAS
from GenSegSlicerLib.ImageFiles import orientedImage, readImage
from GenSegSlicerLib.Segments import voxelsOf

_TOLERANCE_VOXELS = 0.05


def readLabelImage(
    path: Path, volumeNode: slicer.vtkMRMLScalarVolumeNode, ijkToRAS: np.ndarray
) -> slicer.vtkOrientedImageData:
    """Read a label file into the local coordinates of a volume, without its parent transform.

    If the file has the voxels of the volume, in any order of the axes, the image gets exactly the
    geometry of the volume, so that rounding in file headers does not accumulate.

    Args:
        path: path of the label volume.
        volumeNode: the segmented volume.
        ijkToRAS: IJK-to-RAS matrix of the volume's file.

    Raises:
        GenSegError: the file cannot be read, or is not a label volume.
    """
    node = slicer.vtkMRMLLabelMapVolumeNode()
    readImage(node, path)
    voxels = _requireLabelValues(path, voxelsOf(node.GetImageData()))
    toVolume = np.linalg.inv(ijkToRAS) @ localIJKToRAS(node)
    size = volumeNode.GetImageData().GetDimensions()
    reoriented = _reoriented(voxels, toVolume, size)
    if reoriented is None:
        return orientedImage(voxels, localIJKToRAS(volumeNode) @ toVolume)
    return orientedImage(reoriented, localIJKToRAS(volumeNode))


def readPlacedLabel(
    case: Case,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    grid: Volume,
    warn: Callable[[str], None] = lambda text: None,
    known: Mapping[int, str] | None = None,
) -> tuple[slicer.vtkOrientedImageData, dict[int, str]]:
    """Read a label of others' programs as the command line does, see `place_label`.

    Args:
        case: whose label is in files of any format, or DICOM SEG.
        volumeNode: the segmented volume.
        grid: grid of the volume with what its file says of it, see `fileGrid`.
        warn: called with what was lost or is unclear.
        known: names of the values of raster images, and of classes that have files of their own;
            white is 1 unless 255 is among them.

    Returns:
        The label in the voxel grid of the volume, without parent transform, and the names of
        segments by value if the file has any.

    Raises:
        GenSegError: the file is damaged, or does not belong to the volume.
    """
    # Imported when there is something to read: needs SimpleITK, which is a part of Slicer.
    from GenSegLib.datasets.case_labels import read_case_label
    from GenSegLib.datasets.image_io import read_segment_names

    isRaster = any(map(is_raster_file, case.labels))
    classes = known if isRaster or case.label_classes else None
    drawn = replace(case, annotation=COMPLETE)
    label = read_case_label(drawn, grid, classes, warn, file_order=True)
    names = {} if case.label_classes else read_segment_names(case.labels[0])
    return orientedImage(label.array[0].T, localIJKToRAS(volumeNode)), names


def fileGrid(path: Path, volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Volume:
    """Return the grid of a volume that was read from a file, with what its header leaves open."""
    size = volumeNode.GetImageData().GetDimensions()
    grid = Volume(np.broadcast_to(np.uint8(0), (1, *size)), localIJKToRAS(volumeNode))
    header = read_header(path) if is_nifti_file(path) else None
    if header is None or len(header.shape) < 3:
        return grid
    other = header.other_affine
    if other is not None:  # in the axes of the node
        other = other @ np.linalg.inv(header.affine) @ grid.affine
    return replace(
        grid, other_affine=other, has_position=header.has_position, warnings=header.warnings
    )


def _requireLabelValues(path: Path, voxels: np.ndarray) -> np.ndarray:
    if voxels.size == 0:
        raise GenSegError(_("{path}: the image has no voxels").format(path=path))
    low, high = voxels.min(), voxels.max()
    valid = low >= 0 and high <= MAX_LABEL
    if voxels.dtype.kind == "f":
        valid = valid and bool((voxels == np.rint(voxels)).all())
    if not valid:
        raise GenSegError(
            _("{path}: not a label volume: values are not integers from 0 to {largest}").format(
                path=path, largest=MAX_LABEL
            )
        )
    return voxels if voxels.dtype.kind in "iu" else voxels.astype(np.int16)


def _reoriented(
    voxels: np.ndarray, toVolume: np.ndarray, size: tuple[int, int, int]
) -> np.ndarray | None:
    """Voxels (k, j, i) in the axis order of the volume, None if the voxel grids differ.

    Readers may flip axes; Slicer's makes all geometries right-handed.
    """
    axes = np.rint(toVolume[:3, :3])
    if not (np.abs(axes).sum(axis=0) == 1).all() or not (np.abs(axes).sum(axis=1) == 1).all():
        return None
    source = np.abs(axes).argmax(axis=1)  # axis of the file along each axis of the volume
    signs = axes[range(3), source]
    length = np.array(voxels.shape[::-1])[source]
    if tuple(length) != tuple(size):
        return None
    exact = np.eye(4)
    exact[:3, :3] = axes
    exact[:3, 3] = np.where(signs < 0, length - 1, 0)
    if np.abs((toVolume - exact) @ cornerIndices(voxels.shape[::-1])).max() > _TOLERANCE_VOXELS:
        return None
    flips = tuple(slice(None, None, int(sign)) for sign in signs)
    return voxels.T.transpose(source)[flips].T
