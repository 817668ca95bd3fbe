"""Find cases in folders: Medical Segmentation Decathlon, nnU-Net, folder pairs, cases.json."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from ..cases import CaseSet
from ..errors import GenSegError
from .case_lists import read_case_list, read_label_list
from .image_folders import (
    heic_note,
    list_images,
    list_labels,
    pair_folders,
    skipped_image_notes,
    unlabeled_cases,
)
from .mask_folders import pair_mask_folders, read_mask_folders
from .pairing import UnpairedError
from .persons import with_persons

__all__ = [
    "list_images",
    "list_labels",
    "read_cases",
    "read_label_list",
    "read_pair_folders",
    "with_unlabeled",
]

_FOLDER_PAIRS = (("images", "labels"), ("images", "masks"), ("imagesTr", "labelsTr"))


def read_cases(path: Path) -> CaseSet:
    """Read the cases of a folder or list file, with their persons (see `persons`).

    Supported are `cases.json` (explicit pairs), the `dataset.json` of the Medical Segmentation
    Decathlon and of nnU-Net (see `case_lists`), folders `images` and `labels` (or `masks`;
    or `imagesTr` and `labelsTr`) with equal names, and other folders of images and masks (see
    `mask_folders`). Test images are never read.
    Whether the files exist and are valid is tested by `checks`.

    Raises:
        GenSegError: the layout is unknown, or its list is invalid.
    """
    if path.is_file():
        return with_persons(read_case_list(path), path.parent)
    if not path.is_dir():
        raise GenSegError(f"{path}: no such folder; choose the folder with the cases")
    return with_persons(_read_folder(path), path)


def read_pair_folders(images: Path, labels: Path) -> CaseSet:
    """Read the cases of a folder of images and a folder of labels, with their persons.

    Raises:
        GenSegError: see `image_folders.pair_folders`, `mask_folders.pair_mask_folders`.
    """
    cases = _naming_heic(
        images, lambda: _pair(images, labels, lambda: pair_mask_folders(images, labels))
    )
    return with_persons(cases, images)


def with_unlabeled(
    cases: CaseSet, folder: Path, patient_ids: Mapping[str, str] | None = None
) -> CaseSet:
    """Return the cases with the images of a folder as further, unlabeled ones.

    Args:
        cases: with their persons.
        folder: of images.
        patient_ids: DICOM patient IDs of cases whose files are not DICOM, by case name.

    Raises:
        GenSegError: see `image_folders.unlabeled_cases`.
    """
    channels = max((len(case.images) for case in cases.cases), default=1)
    found = unlabeled_cases(folder, channels, [case.name for case in cases.cases])
    added = with_persons(CaseSet(tuple(found)), folder, cases.cases, patient_ids).cases
    left_out = skipped_image_notes(folder, [path for case in found for path in case.images])
    notes = (*cases.notes, *left_out)
    return dataclasses.replace(cases, cases=(*cases.cases, *added), notes=notes)


def _read_folder(path: Path) -> CaseSet:
    for name in ("cases.json", "dataset.json"):
        if (path / name).is_file():
            return read_case_list(path / name)
    return _naming_heic(path, lambda: _read_pairs(path))


def _read_pairs(path: Path) -> CaseSet:
    for images, labels in _FOLDER_PAIRS:
        if (path / images).is_dir() and (path / labels).is_dir():
            return _pair(path / images, path / labels, lambda: read_mask_folders(path))
    return read_mask_folders(path)


def _naming_heic(folder: Path, read: Callable[[], CaseSet]) -> CaseSet:
    """Read cases; a note, or the error of a mask without an image, names HEIC images."""
    note = heic_note(folder)
    try:
        cases = read()
    except UnpairedError as error:
        if not note or note in str(error):
            raise
        raise UnpairedError(f"{error}; {note}", error.count) from None
    return dataclasses.replace(cases, notes=(*cases.notes, note)) if note else cases


def _pair(images: Path, labels: Path, otherwise: Callable[[], CaseSet]) -> CaseSet:
    """Pair folders with equal file names, or by `otherwise`.

    If both fail, the error is that of the attempt that leaves fewer labels unpaired.
    """
    try:
        return pair_folders(images, labels)
    except UnpairedError as error:
        try:
            return otherwise()
        except UnpairedError as other:
            raise (other if 0 < other.count < error.count else error) from None
        except GenSegError:
            raise error from None
