"""Find damage in image files before ITK reads them.

Light: numpy alone.
"""

from __future__ import annotations

from pathlib import Path

from .metaimage_checks import require_valid_metaimage
from .nifti import open_decompressed, require_valid_nifti
from .nifti_header import is_nifti_name
from .nrrd_checks import MAGIC, require_valid_nrrd

_CHUNK = 1 << 20


def require_valid_file(path: Path) -> None:
    """Read a file to its end and check it against its header.

    NIfTI files are checked for length and voxel size, MetaImage files for length, and NRRD files
    for a valid header. Files of other formats are only decompressed; ITK notices missing voxels.

    Raises:
        GenSegError: the file cannot be read, is truncated or damaged, or the spacing is not
            positive.
    """
    if is_nifti_name(path):
        require_valid_nifti(path)
        return
    with open_decompressed(path) as stream:
        head = stream.read(_CHUNK)
        while stream.read(_CHUNK):
            pass
        if path.name.lower().endswith((".mha", ".mhd")):
            require_valid_metaimage(path)
        if head.startswith(MAGIC):
            require_valid_nrrd(path)
