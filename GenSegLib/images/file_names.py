"""File names of images.

Light: the standard library alone.
"""

from __future__ import annotations

from pathlib import Path

IMAGE_SUFFIXES = (
    *(".seg.nrrd", ".nii.gz", ".gipl.gz", ".nii", ".nrrd", ".nhdr"),
    *(".mha", ".mhd", ".hdr", ".gipl", ".mnc"),
)


def is_image_file(path: Path) -> bool:
    """Whether the name ends like an image file's; hidden files (`._a.nii.gz`) do not count."""
    return not path.name.startswith(".") and path.name.lower().endswith(IMAGE_SUFFIXES)


def image_stem(path: Path) -> str:
    """Return the name without its image suffix: `a` for `a.nii.gz`; a folder keeps its name."""
    for suffix in IMAGE_SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.name if path.is_dir() else path.stem
