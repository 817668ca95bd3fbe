"""File names of images.

Light: the standard library alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path

_VOLUME_SUFFIXES = (
    *(".seg.nrrd", ".nii.gz", ".gipl.gz", ".nii", ".nrrd", ".nhdr"),
    *(".mha", ".mhd", ".hdr", ".gipl", ".mnc"),
)
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jfif")
RASTER_SUFFIXES = (
    *(".png", *JPEG_SUFFIXES, ".tif", ".tiff", ".bmp", ".webp", ".gif", ".ppm", ".pgm"),
)
HEIC_SUFFIXES = (".heic", ".heif")
"""Of photos of telephones, which cannot be read."""
IMAGE_SUFFIXES = (*_VOLUME_SUFFIXES, *RASTER_SUFFIXES)

# Characters that some file systems forbid, and device names that Windows reserves.
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_MAX_LENGTH = 80
_FRAME = re.compile(r"(.+)#(\d{1,6})")


def valid_file_name(text: str) -> str:
    """Return a text as a file name that is valid on all platforms, Windows included.

    Forbidden characters become `_`, long names are shortened, and reserved ones get a leading `_`.
    """
    name = _FORBIDDEN.sub("_", text)[:_MAX_LENGTH].strip(". ")
    return f"_{name}" if not name or _RESERVED.fullmatch(name) else name


def numbered_names(name: str) -> Iterator[str]:
    """Yield a name, and the same with numbers: `a`, `a_2`, `a_3` and so on."""
    return chain([name], (f"{name}_{k}" for k in count(2)))


def unique_names(names: Iterable[str]) -> list[str]:
    """Return file names that differ in more than upper and lower case: the second `a` is `a_2`."""
    unique: dict[str, str] = {}
    for name in names:
        chosen = next(each for each in numbered_names(name) if each.casefold() not in unique)
        unique[chosen.casefold()] = chosen
    return list(unique.values())


def is_image_file(path: Path) -> bool:
    """Whether the name ends like a medical image's; hidden files (`._a.nii.gz`) do not count."""
    return not path.name.startswith(".") and path.name.lower().endswith(_VOLUME_SUFFIXES)


def is_raster_file(path: Path) -> bool:
    """Whether the name ends like a raster image's: PNG, JPEG, TIFF, BMP, WebP, GIF or PPM."""
    return not path.name.startswith(".") and path.name.lower().endswith(RASTER_SUFFIXES)


def is_nrrd_file(path: Path) -> bool:
    """Whether the name ends like an NRRD file's."""
    return path.name.lower().endswith((".nrrd", ".nhdr"))


def frame_path(path: Path, frame: int) -> Path:
    """Return the path by which lists name one frame of a file: `a.dcm#3`; frames count from 1."""
    return path.with_name(f"{path.name}#{frame}")


def frame_name(name: str, frame: int) -> str:
    """Return the name of one frame of an image: `a_frame003`."""
    return f"{name}_frame{frame:03d}"


def split_frame(path: Path) -> tuple[Path, int | None]:
    """Return the file of a `frame_path` and the frame; None for other paths and existing files."""
    match = _FRAME.fullmatch(path.name)
    if match is None or path.exists():
        return path, None
    return path.with_name(match[1]), int(match[2])


def image_stem(path: Path) -> str:
    """Return the name without its image suffix: `a` for `a.nii.gz`; a folder keeps its name.

    Frame 3 of `a.dcm` is `a_frame003`.
    """
    file, frame = split_frame(path)
    if frame is not None:
        return frame_name(image_stem(file), frame)
    for suffix in IMAGE_SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.name if path.is_dir() else path.stem


def distinct_stems(paths: Sequence[Path]) -> list[str]:
    """Return the `image_stem` of each path; folders of equal names get those of their parents.

    On a CD, series of several patients are all named SER1; they become `PAT0_SER1`, `PAT1_SER1`.
    Files keep their names.
    """
    stems = [image_stem(path) for path in paths]
    for depth in range(2, max((len(path.parts) for path in paths), default=0)):
        counts = Counter(stem.casefold() for stem in stems)
        for k, path in enumerate(paths):
            if counts[stems[k].casefold()] > 1 and path.is_dir():
                stems[k] = "_".join(path.parts[-depth:])
    return stems
