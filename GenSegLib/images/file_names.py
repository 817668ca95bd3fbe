"""File names of images.

Light: the standard library alone.
"""

from __future__ import annotations

import re
from pathlib import Path

IMAGE_SUFFIXES = (
    *(".seg.nrrd", ".nii.gz", ".gipl.gz", ".nii", ".nrrd", ".nhdr"),
    *(".mha", ".mhd", ".hdr", ".gipl", ".mnc"),
)

# Characters that some file systems forbid, and device names that Windows reserves.
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_MAX_LENGTH = 80


def valid_file_name(text: str) -> str:
    """Return a text as a file name that is valid on all platforms, Windows included.

    Forbidden characters become `_`, long names are shortened, and reserved ones get a leading `_`.
    """
    name = _FORBIDDEN.sub("_", text)[:_MAX_LENGTH].strip(". ")
    return f"_{name}" if not name or _RESERVED.fullmatch(name) else name


def is_image_file(path: Path) -> bool:
    """Whether the name ends like an image file's; hidden files (`._a.nii.gz`) do not count."""
    return not path.name.startswith(".") and path.name.lower().endswith(IMAGE_SUFFIXES)


def image_stem(path: Path) -> str:
    """Return the name without its image suffix: `a` for `a.nii.gz`; a folder keeps its name."""
    for suffix in IMAGE_SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.name if path.is_dir() else path.stem
