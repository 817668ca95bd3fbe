"""Folders of images and masks as public data sets have them: any folders, any names of masks.

Light: the standard library alone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..cases import Case, CaseSet, Role
from ..dicom.files import is_planar_file
from ..images.file_names import (
    JPEG_SUFFIXES,
    image_stem,
    is_image_file,
    is_raster_file,
    valid_file_name,
)
from .mask_names import (
    MASK_WORDS,
    Name,
    Words,
    has_mark,
    is_annotator,
    kinds_of_masks,
    lower,
    match_masks,
)
from .pairing import UnpairedError

_TEST = {"test", "testing", "tests", "ts"}
_VALIDATION = {"val", "valid", "validation"}
_FIELD_OF_VIEW = {"mask", "masks"}  # beside manual segmentations, as in sets of fundus photos
_DICOM = (".dcm", ".dicom")
_ARCHIVE_REST = "__MACOSX"


@dataclass(frozen=True)
class _File:
    path: Path
    name: Name
    folders: tuple[str, ...]


@dataclass(frozen=True)
class _Mask:
    path: Path
    name: Name
    kind: Words


def read_mask_folders(folder: Path) -> CaseSet:
    """Pair the images and masks in a folder and all folders within it.

    Files in folders with a word for masks (`masks`, `Ground Truth`, `leftMask`), or whose names
    have one (`a_mask`, `a_segmentation`), are masks; see `mask_names`. Several masks of an image
    that differ by a word (`left` and `right`) are classes; others, such as one a lesion, are one
    label. Images in folders named test are left out, those in folders named validation are for
    validation.

    Raises:
        UnpairedError: there is no mask, or a mask has no image.
    """
    files = _files(folder)
    kept = [file for file in files if not set(file.name.place) & _TEST]
    left_out = len(files) - len(kept) if kept else 0
    kept = kept or files
    masks = _masks_among(kept) or _beside_photos(kept)
    paths = {file.path for file in masks}
    images = [file for file in kept if file.path not in paths]
    cases = _pair(folder, _of_one_kind(images), masks)
    note = f"files in folders named test were skipped ({left_out})"
    return CaseSet(cases.cases, cases.labels, notes=(*([note] if left_out else ()), *cases.notes))


def pair_mask_folders(images: Path, masks: Path) -> CaseSet:
    """Pair the images of one folder with the masks of another, as `read_mask_folders`."""
    return _pair(images, _of_one_kind(_files(images)), _as_masks(_files(masks)))


def pair_mask_files(images: Sequence[Path], masks: Sequence[Path]) -> CaseSet:
    """Pair images with those masks that have the name of one, as `read_mask_folders`.

    Raises:
        UnpairedError: no mask has an image.
    """
    found, known = ([_file(path) for path in paths] for paths in (images, masks))
    return _pair(images[0].parent, found, _as_masks(known), needs_all=False)


def _as_masks(files: Sequence[_File]) -> list[_File]:
    words = frozenset(("mask",))
    return [replace(file, name=replace(file.name, mask_words=words)) for file in files]


def _file(path: Path, folders: tuple[str, ...] = ()) -> _File:
    return _File(path, Name.of(folders, image_stem(path)), folders)


def _files(folder: Path) -> list[_File]:
    return [_file(path, path.relative_to(folder).parts[:-1]) for path in _walk(folder)]


def _masks_among(files: Sequence[_File]) -> list[_File]:
    """Return the files in folders of masks, and others by their names.

    Where there are folders of masks, those of images have images alone: `images/seg_1.png`.
    """
    has_folders = any(file.name.mask_words for file in files)
    unclear = [f for f in files if not (f.name.mask_words or f.name.has_mask_ending)]
    clear = [file.name for file in unclear if not file.name.has_structure_ending]
    images = {words for name in clear for words in (name.core, lower(name.words))}
    return [
        file
        for file in files
        if file.name.mask_words
        or (
            (file.name.has_mask_ending or file.name.is_outline_of(images))
            and not (has_folders and file.name.is_in_images)
        )
    ]


def _beside_photos(files: Sequence[_File]) -> list[_File]:
    """Return the files `a.png` beside `a.jpg`, since photos are JPEG and masks are not."""
    photos = {_place(file) for file in files if file.path.suffix.lower() in JPEG_SUFFIXES}
    return [f for f in files if f.path.suffix.lower() not in JPEG_SUFFIXES and _place(f) in photos]


def _place(file: _File) -> tuple[tuple[str, ...], str]:
    return file.folders, file.name.text


def _walk(folder: Path) -> Iterator[Path]:
    """Yield raster images, radiographs and volumes in a folder and those within it, sorted."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != _ARCHIVE_REST)
        for path in (Path(parent) / name for name in sorted(names)):
            is_dicom = path.suffix.lower() in _DICOM and is_planar_file(path)
            if is_dicom or is_image_file(path) or is_raster_file(path):
                yield path


def _of_one_kind(files: Sequence[_File]) -> list[_File]:
    """Leave out raster images beside volumes, such as screenshots."""
    volumes = [file for file in files if not is_raster_file(file.path)]
    return volumes or list(files)


def _pair(
    folder: Path, images: Sequence[_File], masks: Sequence[_File], *, needs_all: bool = True
) -> CaseSet:
    """Return the cases; masks without an image are an error if all are needed."""
    found = match_masks([file.name for file in images], [file.name for file in masks])
    rest = [mask for k, mask in enumerate(masks) if k not in found]
    # without a word for masks, "skin_lesion" is the name of an image
    orphans = [m for m in rest if m.name.mask_words or set(lower(m.name.words)) & MASK_WORDS]
    if not found or (orphans and needs_all):
        first = next(iter((*orphans, *masks, *images)), None)
        raise UnpairedError(_unpaired(folder, first, len(orphans)), len(orphans) if found else 0)
    pairs = [(number, masks[k]) for k, number in sorted(found.items())]
    kinds = kinds_of_masks((images[number].name, mask.name) for number, mask in pairs)
    masks_of: dict[int, list[_Mask]] = {}
    for (number, mask), kind in zip(pairs, kinds):
        masks_of.setdefault(number, []).append(_Mask(mask.path, mask.name, kind))
    notes: list[str] = []
    masks_of = {number: _labels_of(own, notes) for number, own in masks_of.items()}
    files = [*images, *(mask for mask in rest if mask not in orphans)]
    return _case_set(files, masks_of, notes)


def _unpaired(folder: Path, file: _File | None, orphans: int) -> str:
    advice = (
        "give image and mask the same name, in the folders images and masks, or list them in a "
        "cases.json"
    )
    if not orphans or file is None:
        return f"{folder}: no cases found (no image has a mask); {advice}"
    more = f" (and {orphans - 1} more)" if orphans > 1 else ""
    return f"{file.path}{more}: none or several images have this mask's name; {advice}"


def _labels_of(masks: Sequence[_Mask], notes: list[str]) -> list[_Mask]:
    """Leave out the field of view and further annotators, and note it."""
    drawn = [mask for mask in masks if mask.name.mask_words - _FIELD_OF_VIEW]
    fields = [mask for mask in masks if mask.name.mask_words and mask not in drawn]
    kept = list(masks)
    if drawn and fields:
        kept = drawn
        where = " ".join(sorted(fields[0].name.mask_words))
        notes.append(f"masks in folders named {where} are treated as fields of view, not as labels")
    annotators = sorted({mask.kind for mask in kept if is_annotator(mask.kind)})
    if len(annotators) > 1:
        kept = [mask for mask in kept if mask.kind not in annotators[1:]]
        names = [" ".join(kind) for kind in annotators]
        notes.append(f"of several annotators, {names[0]} is used and {', '.join(names[1:])} is not")
    return kept


def _case_set(
    images: Sequence[_File], masks_of: dict[int, list[_Mask]], notes: Sequence[str]
) -> CaseSet:
    classes = _class_names(masks_of.values())
    names = _case_names(images)
    cases = [
        _case(name, image, masks_of.get(number, []), classes)
        for number, (name, image) in enumerate(zip(names, images))
    ]
    labels = dict(enumerate(dict.fromkeys(classes.values()), 1))
    found = dict.fromkeys((*_pairing_notes(cases, labels), *notes))
    return CaseSet(tuple(cases), labels, notes=tuple(found))


def _class_names(groups: Iterable[Sequence[_Mask]]) -> dict[Words, str]:
    """Return a name for each kind of masks if any image has masks of several kinds."""
    groups = list(groups)
    if all(len({mask.kind for mask in group}) == 1 for group in groups):
        return {}
    kinds = sorted({mask.kind for group in groups for mask in group})
    common = set.intersection(*map(set, kinds))
    return {kind: _class_name([word for word in kind if word not in common]) for kind in kinds}


def _class_name(words: Sequence[str]) -> str:
    text = " ".join(words) or "Mask"
    return text.capitalize() if text.islower() else text


def _case(name: str, image: _File, masks: Sequence[_Mask], classes: dict[Words, str]) -> Case:
    if not masks:
        return Case(name, image.path, None, Role.UNLABELED)
    role = Role.VALIDATE if set(image.name.place) & _VALIDATION else Role.TRAIN
    first, *further = (mask.path for mask in masks)
    return Case(
        name,
        image.path,
        first,
        role,
        further_labels=tuple(further),
        label_classes=tuple(classes[mask.kind] for mask in masks) if classes else (),
    )


def _case_names(images: Sequence[_File]) -> list[str]:
    """Name cases after their images, and after their folders as well where names are repeated."""
    stems = [image_stem(image.path) for image in images]
    places = [[f for f in image.folders if not has_mark(f)] for image in images]
    repeated = {stem for stem, count in Counter(s.casefold() for s in stems).items() if count > 1}
    return [
        valid_file_name("_".join((*folders, stem)) if stem.casefold() in repeated else stem)
        for folders, stem in zip(places, stems)
    ]


def _pairing_notes(cases: Sequence[Case], labels: Mapping[int, str]) -> Iterator[str]:
    first = next(case for case in cases if case.label is not None)
    assert first.label is not None
    yield (
        f"images were paired with masks by their names, such as {first.image.name} with "
        f"{first.label.name}"
    )
    several = [case for case in cases if case.further_labels]
    if labels:
        names = ", ".join(labels.values())
        yield f"masks whose names differ by a word are separate classes: {names}"
    elif several:
        count = len(several[0].labels)
        yield (
            "several masks of one image are merged into one label, such as the "
            f"{count} of {several[0].name}"
        )
