"""Reading of DICOM series and DICOM SEG with the library's reader and its checks.

Slicer's file reader orders slices by their file names where its DICOM support is missing, and reads
series with missing slices as if they were complete. The modules of the library that read DICOM need
SimpleITK, which is a part of Slicer, and are imported when there is something to read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.dicom.files import is_dicom_file, is_dicom_folder
from GenSegLib.errors import GenSegError
from GenSegLib.images.volume import Volume
from GenSegSlicerLib.Geometry import localIJKToRAS, matrixFromArray
from GenSegSlicerLib.LabelFiles import orientedImage
from GenSegSlicerLib.Segments import voxelsOf


def isDicom(path: Path) -> bool:
    """Return whether a path is a DICOM file, or a folder, which can only be that of a series."""
    return path.is_dir() or is_dicom_file(path)


def readSeries(node: slicer.vtkMRMLScalarVolumeNode, path: Path) -> None:
    """Read a DICOM series from its folder, or from its only file, into a node.

    Raises:
        GenSegError: there is no series or several, slices are missing, truncated or inconsistent.
    """
    from GenSegLib.data.image_io import read_image

    if path.is_dir() and not is_dicom_folder(path):
        raise GenSegError(_("{path}: this folder contains no DICOM series").format(path=path))
    volume = read_image(path, dtype=None)
    node.SetAndObserveImageData(orientedImage(volume.array[0].T, np.eye(4)))
    node.SetIJKToRASMatrix(matrixFromArray(volume.affine))


def readDicomSegmentation(
    path: Path, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> tuple[slicer.vtkOrientedImageData, dict[int, str]]:
    """Read a DICOM SEG in the voxel grid of a volume, and the names of its segments by value.

    Raises:
        GenSegError: the file is damaged or belongs to another image, or a package is missing.
    """
    from GenSegLib.data.image_io import read_label, read_segment_names

    ijkToRAS = localIJKToRAS(volumeNode)
    grid = Volume(voxelsOf(volumeNode.GetImageData()).T[np.newaxis], ijkToRAS)
    label = read_label(path, grid)
    return orientedImage(label.array[0].T, ijkToRAS), read_segment_names(path)
