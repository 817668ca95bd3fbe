"""Images whose channels are files of their own, such as the MR sequences of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from ..dicom.files import is_planar_file
from ..errors import GenSegError
from ..images.file_names import image_stem, is_raster_file
from ..images.volume import (
    COLORS,
    MAX_CHANNELS,
    Volume,
    format_channels,
    is_gray_in_color,
    on_same_grid,
)
from .image_io import read_image
from .pairing import group_channels, missing_channels

_DIGITS = 4  # of the number of a channel


def read_channels(
    paths: Sequence[Path], *, finite: bool = True, dtype: DTypeLike | None = np.float32
) -> Volume:
    """Read an image (channel, x, y, z) from one or more files.

    Args:
        paths: files in the order of their channels; all are on the grid of the first.
        finite: see `read_image`.
        dtype: see `read_image`.

    Raises:
        GenSegError: as `read_image`; or a file has another grid than the first, or there are more
            than `MAX_CHANNELS` channels.
    """
    first = read_image(paths[0], finite=finite, dtype=dtype)
    if len(paths) == 1:
        return first
    arrays, warnings = [first.array], list(first.warnings)
    for path in paths[1:]:
        volume = read_image(path, finite=finite, dtype=dtype)
        if not on_same_grid(volume, first):
            raise GenSegError(
                f"{path}: not on the grid of {paths[0].name}, the first channel; register and "
                "resample it to that image"
            )
        arrays.append(volume.array)
        warnings += volume.warnings
    array = np.concatenate(arrays)
    if len(array) > MAX_CHANNELS:
        raise GenSegError(
            f"{paths[0]}: {len(array)} channels in {len(paths)} files, but at most {MAX_CHANNELS} "
            "are supported; leave some out"
        )
    return replace(first, array=array, warnings=tuple(dict.fromkeys(warnings)))


def require_all_channels(paths: Sequence[Path], image: Volume, channels: int) -> None:
    """Check that no file of an image's channels is missing.

    The number at the end of a single photo's name, such as `IMG_0005`, is not that of a channel.

    Raises:
        GenSegError: the image has fewer channels; the message names the missing file.
    """
    if channels == COLORS and len(paths) == 1 and _is_2d_file(paths[0]):
        return
    missing = missing_channels([image_stem(path) for path in paths], channels)
    if missing and len(image.array) < channels:
        number = int(missing[0][-_DIGITS:])
        raise GenSegError(
            f"{paths[0]}: channel {number}, the file {missing[0]}, is missing; add it to the folder"
        )


def with_channels(image: Volume, channels: int) -> Volume:
    """Return an image with the channels that a model expects.

    Of gray images that are stored in color, as X-rays and ultrasound often are, a model for gray
    ones gets one channel.

    Raises:
        GenSegError: the image has other channels.
    """
    own = len(image.array)
    if channels == 1 and is_gray_in_color(image.array):
        return replace(image, array=image.array[:1])
    if own != channels:
        colors = {1: " (gray)", 3: " (color)"} if {own, channels} == {1, 3} else {}
        raise GenSegError(
            f"the image has {format_channels(own)}{colors.get(own, '')}, but the model expects "
            f"{channels}{colors.get(channels, '')}; convert the image, or use another model"
        )
    return image


def group_files(paths: Sequence[Path], channels: int) -> dict[str, list[Path]]:
    """Return the files of each image of several channels by the first file without its number.

    `a_0000.nii.gz` and `a_0001.nii.gz` in one folder are two channels of the image `a`; a file
    that has no further channels beside it is an image of its own. So is a 2-D image that has all
    channels, such as a photo.

    Args:
        paths: files or folders, in the order of the result.
        channels: of an image.
    """
    by_stem = {str(path.parent / image_stem(path)): path for path in paths}
    if channels == 1 or len(by_stem) < len(paths):
        return {str(path): [path] for path in paths}
    files: dict[str, list[Path]] = {}
    for name, stems in group_channels(list(by_stem), channels).items():
        group = [by_stem[stem] for stem in stems]
        if len(group) == 1 or _is_complete_2d_image(group[0], channels):
            files |= {str(path): [path] for path in group}
        else:
            files[name] = group
    return files


def _is_2d_file(path: Path) -> bool:
    return is_raster_file(path) or is_planar_file(path)


def _is_complete_2d_image(path: Path, channels: int) -> bool:
    """Whether a 2-D image has all channels of an image, or cannot be read."""
    try:
        return _is_2d_file(path) and len(read_image(path, dtype=None).array) >= channels
    except GenSegError:  # which is reported when the image is segmented
        return True
