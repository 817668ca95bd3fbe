"""The images and labels in a folder, and their pairs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from unicodedata import normalize

from ..cases import Case, CaseSet, Role
from ..dicom.files import (
    find_series_folders,
    is_dicom_file,
    is_dicom_folder,
    is_planar_file,
    is_segmentation,
    list_folder,
)
from ..errors import GenSegError
from ..images.file_names import (
    HEIC_SUFFIXES,
    IMAGE_SUFFIXES,
    distinct_stems,
    image_stem,
    is_image_file,
    is_raster_file,
    split_frame,
    unique_names,
    valid_file_name,
)
from .clips import frames_of, split_clips, split_unlabeled_clips
from .pairing import (
    UnpairedError,
    count_channels,
    group_channels,
    pair_names,
    require_equal_channels,
)


def list_images(path: Path) -> list[Path]:
    """Return the images at a path, sorted by name.

    A file or DICOM series folder is itself the only image; any other folder contributes its image
    files and the DICOM series in its folders, however deep. Photos, radiographs and ultrasound in
    DICOM are images of their own, one a file.

    Raises:
        GenSegError: there is no image.
    """
    return [unpacked_image(entry) for entry in _image_entries(path)]


def skipped_image_notes(path: Path, images: Collection[Path]) -> list[str]:
    """Return notes about images that `list_images` skipped: 2-D ones beside volumes, and HEIC.

    Args:
        path: any path.
        images: that were listed there.

    Returns:
        A line for the user for each reason.
    """
    if not path.is_dir() or is_image_file(path):
        return []
    return [note for note in (_beside_volumes(path, images), heic_note(path)) if note]


def heic_note(folder: Path) -> str:
    """Return that images in a folder and those within it are HEIC, "" if none are."""
    entries = sorted(entry for pattern in ("[!.]*", "*/[!.]*") for entry in folder.glob(pattern))
    found = [entry for entry in entries if entry.suffix.lower() in HEIC_SUFFIXES]
    if not found:
        return ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}: HEIC is not supported; convert the images to JPEG or PNG"


def _beside_volumes(path: Path, images: Collection[Path]) -> str:
    found = [each for each in list_folder(path) if is_raster_file(each) and each not in images]
    if not found:
        return ""
    count = f"{len(found)} raster images, such as " if len(found) > 1 else ""
    return (
        f"{path}: {count}{found[0].name} skipped, because the folder contains volumes; put 2-D "
        "images into a separate folder"
    )


def list_cases(path: Path, channels: int = 0) -> dict[str, list[Path]]:
    """Return the files of each image at a path, one or one for each channel, by its name.

    The frames of a DICOM clip are images of their own.

    Args:
        path: see `list_images`.
        channels: files of an image that have nnU-Net's channel numbers; if 0, those that all images
            have. Photos and radiographs are images of their own, whatever their numbers.

    Raises:
        GenSegError: there is no image.
    """
    images = files = list_images(path)
    if any(is_raster_file(file) or is_planar_file(file) for file in files):
        channels = 1
        images = [image for file in files for image in frames_of(file)]
    names = unique_names(distinct_stems(images))
    paths = dict(zip(names, images))
    groups = group_channels(names, channels or count_channels(names))
    return {name: [paths[each] for each in group] for name, group in groups.items()}


def list_labels(path: Path) -> list[Path]:
    """Return the label volumes at a path, sorted by name: image files and DICOM SEG files.

    Raises:
        GenSegError: there is no label.
    """
    return [unpacked_image(entry) for entry in _label_entries(path)]


def unpacked_image(path: Path) -> Path:
    """Return the only image within a folder, else the path itself.

    Browsers and archive programs unpack `a.nii.gz` to `a.nii.gz/a.nii`, and CDs nest the folder of
    a DICOM series in others.
    """
    if not path.is_dir():
        return path
    if not is_image_file(path):
        images = _dicom_images(path)
        return images[0] if len(images) == 1 else path
    files = [entry for entry in list_folder(path) if is_image_file(entry) and entry.is_file()]
    return files[0] if len(files) == 1 else path


def pair_folders(images: Path, labels: Path, channels: Sequence[str] = ()) -> CaseSet:
    """Pair the images of one folder with the labels of the same name in another.

    Suffixes are ignored, and nnU-Net's channel numbers where `pairing.pair_names` says so:
    `a_0000.nii.gz` matches `a.seg.nrrd`, and the folder `a` of DICOM slices the DICOM SEG `a.dcm`.
    The frames of a DICOM clip are cases (`clips.split_clips`).
    Images without a label are unlabeled cases. Raster images (PNG, JPEG) beside volumes do not
    count.

    Args:
        images: folder.
        labels: folder.
        channels: names of the channels, where they are known.

    Raises:
        UnpairedError: a label has no image, or a folder no images.
        GenSegError: a case lacks a channel that others have, or two files have the same name.
    """
    image_of, label_of = _by_stem(images, _image_entries), _by_stem(labels, _label_entries)
    image_of, label_of, notes = split_clips(image_of, label_of)
    names_of_case = pair_names(image_of, label_of)
    orphans = sorted(label_of.keys() - names_of_case.keys())
    if orphans:
        others = f" (and {len(orphans) - 1} more)" if len(orphans) > 1 else ""
        raise UnpairedError(
            f"{label_of[orphans[0]]}{others}: no image of the same name in {images}; rename or "
            "remove the label",
            len(orphans),
        )
    count = max((len(stems) for stems in names_of_case.values()), default=1)
    count = max(count, len(channels))
    unlabeled = [
        stem for name, stems in names_of_case.items() if name not in label_of for stem in stems
    ]
    labeled = {name: stems for name, stems in names_of_case.items() if name in label_of}
    names_of_case = labeled | group_channels(unlabeled, count)
    if count > 1 and any(len(stems) > 1 for stems in names_of_case.values()):
        require_equal_channels(names_of_case, len(channels), channels)
    cases = []
    for name, stems in names_of_case.items():
        first, *further = (image_of[stem] for stem in stems)
        label = label_of.get(name)
        role = Role.TRAIN if label else Role.UNLABELED
        cases.append(Case(valid_file_name(name), first, label, role, others=tuple(further)))
    return CaseSet(tuple(cases), notes=notes)


def unlabeled_cases(folder: Path, channels: int, taken: Collection[str] = ()) -> list[Case]:
    """Return the images of a folder as unlabeled cases, one for each frame of a DICOM clip.

    Args:
        folder: of images.
        channels: of an image, in files with nnU-Net's channel numbers.
        taken: names of other cases, to which these do not belong.

    Raises:
        GenSegError: there are no images, or two files have the same name.
    """
    image_of = _by_stem(folder, _image_entries)
    listed = []
    for stem, stems in group_channels(list(image_of), channels).items():
        first, *others = (image_of[each] for each in stems)
        listed.append(
            Case(valid_file_name(stem), first, None, Role.UNLABELED, others=tuple(others))
        )
    return [
        dataclasses.replace(case, name=f"{folder.name} {case.name}") if case.name in taken else case
        for case in split_unlabeled_clips(listed)
    ]


def _image_entries(path: Path) -> list[Path]:
    if path.is_file() or split_frame(path)[1] is not None:
        return [path]
    if is_dicom_folder(path):
        return _series_images(path)
    if not path.is_dir():
        raise GenSegError(f"{path}: no such file or folder")
    if is_image_file(path) and unpacked_image(path) != path:
        return [path]
    found = [entry for p in list_folder(path) for entry in _entries_of(p)]
    found = found or [entry for entry in list_folder(path) if is_raster_file(entry)]
    if not found:
        if any(map(is_segmentation, list_folder(path))):
            raise GenSegError(
                f"{path}: contains DICOM SEG labels but no images; choose folders of DICOM slices"
            )
        within = any(entry.is_dir() for entry in list_folder(path))
        raise UnpairedError(
            f"{path}: no images in this folder ({', '.join(IMAGE_SUFFIXES)} or folders of DICOM "
            f"slices){'; name the folder within it that has them' if within else ''}"
            + "".join(f"; {note}" for note in [heic_note(path)] if note)
        )
    return found


def _label_entries(path: Path) -> list[Path]:
    entries = list_folder(path) if path.is_dir() else []
    found = [entry for entry in entries if is_image_file(entry) or is_segmentation(entry)]
    return _image_entries(path) if all(map(is_image_file, found)) else found


def _entries_of(path: Path) -> list[Path]:
    """Return a path if it holds one image, or the images within it."""
    if is_image_file(path):
        return [path]
    images = _dicom_images(path) if path.is_dir() and not path.name.startswith(".") else []
    return [path] if len(images) == 1 else images


def _dicom_images(folder: Path) -> list[Path]:
    """Return the folders of series and the files of 2-D images in a folder, however deep."""
    return [image for series in find_series_folders(folder) for image in _series_images(series)]


def _series_images(folder: Path) -> list[Path]:
    """Return a folder of DICOM files if they are slices of a volume, else the files."""
    files = [entry for entry in list_folder(folder) if is_dicom_file(entry)]
    return files if is_planar_file(files[0]) else [folder]


def _by_stem(folder: Path, list_entries: Callable[[Path], list[Path]]) -> dict[str, Path]:
    if not folder.is_dir():
        what = "a file" if folder.exists() else "no such folder"
        raise GenSegError(f"{folder}: {what}; choose a folder of images")
    paths: dict[str, Path] = {}
    for entry in list_entries(folder):
        stem = normalize("NFC", image_stem(entry))  # macOS decomposes letters such as ä
        if stem in paths:
            raise GenSegError(f"{entry}: same name as {paths[stem].name}; keep one file per case")
        paths[stem] = unpacked_image(entry)
    return paths
