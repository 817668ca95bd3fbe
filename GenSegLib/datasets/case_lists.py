"""Lists of cases in JSON files: ours, the Decathlon's, nnU-Net's and MONAI's.

They are read leniently, since files and lists are moved between computers and programs; see
`_locate` for paths and `label_lists` for label maps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any
from unicodedata import normalize

from ..cases import (
    PERSON_KEYS,
    Case,
    CaseSet,
    Role,
    parse_label_files,
    read_person,
    with_values,
)
from ..errors import GenSegError
from ..files import read_json
from ..images.file_names import (
    IMAGE_SUFFIXES,
    frame_path,
    image_stem,
    split_frame,
    valid_file_name,
)
from ..nesting import parse_includes
from .clips import split_unlabeled_clips
from .image_folders import pair_folders, unpacked_image
from .label_lists import LabelList, parse_label_list
from .pairing import FIRST_CHANNEL, case_name

_KEYS = {  # of a case in a list of our own
    *("name", "image", "label", "role", *PERSON_KEYS),
    *("classes", "only_slices", "scribbles", "values", "segments"),
}
_MIN_SIMILARITY = 0.8  # of a misspelled key


def read_case_list(path: Path) -> CaseSet:
    """Read a list of cases.

    Supported are `cases.json` with explicit pairs (`CaseSet.from_json`), the Decathlon's
    `training` list, which nnU-Net v1 and MONAI use as well (MONAI's `validation` is for
    validation), and nnU-Net v2 with the folders imagesTr and labelsTr or with explicit files in
    `dataset`; nnU-Net v2 ignores a `training` list, and so do we.

    Raises:
        GenSegError: the list is invalid; the message begins with its path.
    """
    values, base = read_json(path), path.parent
    try:
        return _reader_of(values, base)(values, base)
    except GenSegError as error:
        raise GenSegError(f"{path}: {error}") from None
    except OSError as error:
        raise GenSegError(f"{path}: invalid file name in the list ({error.strerror})") from None


def read_label_list(path: Path) -> LabelList:
    """Return the labels in a list of cases; empty if there are none.

    The cases themselves may be missing or of an unsupported kind.
    """
    with suppress(GenSegError):
        values = read_json(path)
        found = parse_label_list(values.get("labels", {}))
        includes = parse_includes(values.get("includes", {}))
        return dataclasses.replace(found, includes=found.includes | includes)
    return LabelList()


def _reader_of(
    values: Mapping[str, Any], base: Path
) -> Callable[[Mapping[str, Any], Path], CaseSet]:
    if "cases" in values:
        return _read_own
    if isinstance(values.get("dataset"), Mapping):
        return _read_nnunet_files
    is_nnunet = "channel_names" in values
    if is_nnunet and ("training" not in values or (base / "imagesTr").is_dir()):
        return _read_nnunet_folders
    if "training" in values:
        return _read_decathlon
    raise GenSegError('has none of "cases", "training", "dataset" and "channel_names"')


def _read_own(values: Mapping[str, Any], base: Path) -> CaseSet:
    entries = values["cases"]
    if isinstance(entries, list):
        entries = [_with_valid_name(entry) for entry in entries]
    read = CaseSet.from_json({**values, "cases": entries}, base)
    cases = (_located(case, entry, base) for case, entry in zip(read.cases, entries))
    frames = tuple(split_unlabeled_clips(cases))
    return dataclasses.replace(read, cases=frames, notes=tuple(_misspelled(entries)))


def _misspelled(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each unknown key of a case that resembles a known one."""
    unknown = dict.fromkeys(key for entry in entries for key in entry if key not in _KEYS)
    for key in unknown:
        for meant in get_close_matches(key, _KEYS, 1, _MIN_SIMILARITY):
            yield f'the key "{key}" of a case is not known and was ignored; did you mean "{meant}"?'


def _located(case: Case, entry: Mapping[str, Any], base: Path) -> Case:
    """Return a case with the files that its entry refers to, see `_locate`."""
    image, *others = (_locate(base, path) for path in _paths(entry["image"]))
    paths, _ = parse_label_files(case.name, entry.get("label"))
    labels = [_locate(base, path) for path in paths]
    return dataclasses.replace(
        case,
        image=image,
        others=tuple(others),
        label=labels[0] if labels else None,
        further_labels=tuple(labels[1:]),
    )


def _with_valid_name(entry: object) -> object:
    if isinstance(entry, Mapping) and isinstance(entry.get("name"), str) and entry["name"]:
        return {**entry, "name": valid_file_name(entry["name"])}
    return entry


def _read_decathlon(values: Mapping[str, Any], base: Path) -> CaseSet:
    entries = list(_decathlon_entries(values))
    images = [paths[0] for paths, _, _, _ in entries]
    names = _case_names(images, [label for _, label, _, _ in entries])
    cases = (
        _case(name, base, paths, label, role, person)
        for name, (paths, label, role, person) in zip(names, entries)
    )
    modality = _parse_modality(values.get("modality", values.get("channel_names", {})))
    return _case_set(cases, values, modality)


def _case(
    name: str, base: Path, images: Sequence[str], label: str, role: Role, person: str
) -> Case:
    first, *others = (_locate(base, image) for image in images)
    return Case(name, first, _locate(base, label), role, person, tuple(others))


def _decathlon_entries(
    values: Mapping[str, Any],
) -> Iterator[tuple[list[str], str, Role, str]]:
    """Yield images, label, role and person of each entry."""
    for key, role in (("training", Role.TRAIN), ("validation", Role.VALIDATE)):
        entries = values.get(key, [])
        if not isinstance(entries, list):
            if role is Role.TRAIN:
                raise GenSegError('"training" must be a list')
            continue
        for entry in entries:
            files = entry if isinstance(entry, Mapping) else {}
            images, labels = _paths(files.get("image")), _paths(files.get("label"))
            if role is Role.VALIDATE and not labels:
                continue  # test images in other programs' lists
            if not images or len(labels) != 1:
                raise GenSegError(f'an entry of "{key}" lacks "image" or "label": {entry}')
            yield images, labels[0], role, read_person(files)


def _read_nnunet_files(values: Mapping[str, Any], base: Path) -> CaseSet:
    cases = []
    for name, files in values["dataset"].items():
        entry = files if isinstance(files, Mapping) else {}
        images, labels = _paths(entry.get("images")), _paths(entry.get("label"))
        if not images or len(labels) != 1:
            raise GenSegError(f'case {name} of "dataset" lacks "images" or "label"')
        file_name, person = valid_file_name(name), read_person(entry)
        cases.append(_case(file_name, base, images, labels[0], Role.TRAIN, person))
    modality = _parse_modality(values.get("channel_names", {}))
    return _case_set(cases, values, modality)


def _read_nnunet_folders(values: Mapping[str, Any], base: Path) -> CaseSet:
    modality = _parse_modality(values["channel_names"])
    channels = _channel_names(values["channel_names"])
    pairs = pair_folders(base / "imagesTr", base / "labelsTr", channels)
    missing = [case for case in pairs.cases if case.label is None]
    if missing:
        name = missing[0].name.removesuffix(FIRST_CHANNEL)
        raise GenSegError(
            f"case {name} has no label in labelsTr; add the label or remove the image"
        )
    return _case_set(pairs.cases, values, modality)


def _case_set(cases: Iterable[Case], values: Mapping[str, Any], modality: str) -> CaseSet:
    """Return cases with the labels of their list."""
    found = parse_label_list(values.get("labels", {}))
    meant = tuple(with_values(case, found.values) for case in cases)
    includes = found.includes | parse_includes(values.get("includes", {}))
    return CaseSet(meant, found.labels, modality, includes=includes)


def _paths(value: object) -> list[str]:
    """Return the path or paths of an entry."""
    values = [value] if isinstance(value, str) else value
    is_list = isinstance(values, list) and all(isinstance(path, str) for path in values)
    return list(values) if is_list and isinstance(values, list) else []


def _pure(path: str) -> PurePath:
    """Return a path that was written on any system."""
    return PureWindowsPath(path) if "\\" in path else PurePosixPath(path)


def _case_names(images: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Name cases after their images, and after their folders as well where names are repeated."""
    parts = []
    for image, label in zip(map(_pure, images), map(_pure, labels)):
        name = case_name(_stem(image), {_stem(label)})
        parts.append((*(part for part in image.parts[:-1] if part != image.anchor), name))
    for depth in range(1, max(map(len, parts), default=0) + 1):
        names = ["_".join(each[-depth:]) for each in parts]
        if len(set(names)) == len(names):
            return [valid_file_name(name) for name in names]
    return [valid_file_name(each[-1]) for each in parts]


def _stem(path: PurePath) -> str:
    return image_stem(Path(path.name))


def _locate(base: Path, text: str) -> Path:
    """Return the file that an entry of a list refers to.

    If it is not there, tried are backslashes as separators; the path's last parts below `base`, if
    the list comes from another computer; nnU-Net's channel number, which its first version omits
    from lists; other suffixes; and other forms of Unicode. What is not found is returned as it is,
    for `checks` to report.
    """
    _, frame = split_frame(base / text)
    if frame is not None:
        return frame_path(_locate(base, text.rpartition("#")[0]), frame)
    path = _pure(text)
    parts = [part for part in path.parts if part != path.anchor]
    tails = (base.joinpath(*parts[start:]) for start in range(1, len(parts) - 1))
    portable = base.joinpath(*parts) if "\\" in text else base / text
    candidates = [base / text, portable, *tails]
    for candidate in (*candidates, *_variants(candidates)):
        if candidate.exists():
            return unpacked_image(candidate)
    return portable


def _variants(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        # macOS decomposes letters such as ä
        yield from (Path(normalize(form, str(path))) for form in ("NFC", "NFD"))
        stem = image_stem(path)
        own = path.name[len(stem) :]
        for suffix in (own, *IMAGE_SUFFIXES):
            yield path.with_name(f"{stem}{FIRST_CHANNEL}{suffix}")
            yield path.with_name(f"{stem}{suffix}")


def _channel_names(channels: object) -> list[str]:
    """Return the names of channels such as {"0": "MRI"}."""
    names = [channels] if isinstance(channels, str) else channels
    names = list(names.values()) if isinstance(names, Mapping) else names
    return list(map(str, names)) if isinstance(names, list) else []


def _parse_modality(channels: object) -> str:
    """Return "MR" or "CT" if all channels are; else, as for color, ""."""
    found = {_modality_of(name.upper()) for name in _channel_names(channels)}
    return found.pop() if len(found) == 1 else ""


def _modality_of(name: str) -> str:
    if name.startswith("CT"):
        return "CT"
    return "MR" if name.startswith(("MR", "T1", "T2", "FLAIR")) else ""
