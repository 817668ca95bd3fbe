"""Clips: DICOM files of several frames, each of which is a case of the same person.

Light: SimpleITK is imported if there are 2-D DICOM images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..cases import Case, Role
from ..dicom.files import is_planar_file
from ..errors import GenSegError
from ..images.file_names import frame_name, frame_path, image_stem


def split_clips(
    images: Mapping[str, Path], labels: Mapping[str, Path]
) -> tuple[dict[str, Path], dict[str, Path], tuple[str, ...]]:
    """Replace each clip by its frames, and its label by those of the labeled frames.

    A clip `a.dcm` is labeled by a file `a` with a slice for each frame, or by masks `a_frame003`
    of single frames. A frame without any labeled pixel counts as unlabeled.

    Args:
        images: image files by name.
        labels: label files by name.

    Returns:
        Images, labels, and a note of how many frames are labeled.

    Raises:
        GenSegError: a clip or its label cannot be read, or the label has another number of slices.
    """
    found_images: dict[str, Path] = {}
    found_labels = dict(labels)
    counts: dict[str, tuple[int, int]] = {}
    for name, path in images.items():
        frames = _count_frames(path)
        if frames == 1:
            found_images[name] = path
            continue
        paths = {image_stem(own): own for own in _frame_paths(path, frames)}
        found_images |= paths
        label = found_labels.pop(name, None)
        if label is not None:
            numbers = list(_labeled_frames(path, label, frames))
            found_labels |= {
                image_stem(frame_path(path, number)): frame_path(label, number)
                for number in numbers
            }
        counts[path.name] = (len(paths.keys() & found_labels.keys()), frames)
    return found_images, found_labels, _notes(counts)


def frames_of(path: Path) -> list[Path]:
    """Return the frames of a clip; of any other image its path.

    So is that of a file that cannot be read, which is reported when it is opened.
    """
    try:
        frames = _count_frames(path)
    except GenSegError:
        frames = 1
    return [path] if frames == 1 else _frame_paths(path, frames)


def split_unlabeled_clips(cases: Iterable[Case]) -> Iterator[Case]:
    """Yield the cases, of an unlabeled clip one for each frame, named after it."""
    for case in cases:
        is_single = case.role is not Role.UNLABELED or bool(case.others)
        frames = [case.image] if is_single else frames_of(case.image)
        if len(frames) == 1:
            yield case
            continue
        for number, path in enumerate(frames, 1):
            name = frame_name(case.name, number)
            yield dataclasses.replace(case, name=name, image=path, label=None, further_labels=())


def _frame_paths(path: Path, frames: int) -> list[Path]:
    return [frame_path(path, number) for number in range(1, frames + 1)]


def _notes(counts: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    """Describe the labeled frames and all frames of clips."""
    if not counts:
        return ()
    labeled, frames = (sum(numbers) for numbers in zip(*counts.values()))
    name, (first, of) = next(iter(counts.items()))
    example = f" (of {name} {first} of {of})" if len(counts) > 1 else f" of {name}"
    return (f"{labeled} of {frames} frames{example} are labeled; the others count as unlabeled",)


def _count_frames(path: Path) -> int:
    if not is_planar_file(path):
        return 1
    from ..dicom.planar import count_frames  # needs SimpleITK

    return count_frames(path)


def _labeled_frames(clip: Path, label: Path, frames: int) -> Iterator[int]:
    from .image_io import read_label  # needs SimpleITK

    slices = read_label(label).array[0]
    count = slices.shape[2]
    # a DICOM SEG ends with the last frame that has a segment
    if count > frames or (count < frames and label.suffix != ".dcm"):
        raise GenSegError(f"{label}: {count} slices, but {clip.name} has {frames} frames")
    for k in range(count):
        if (slices[..., k] != 0).any():
            yield k + 1
