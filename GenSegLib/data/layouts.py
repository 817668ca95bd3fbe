"""Find cases in folders: Medical Segmentation Decathlon, nnU-Net v2, folder pairs, cases.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..cases import Case, CaseSet, Role
from ..dicom.files import is_dicom_folder, is_segmentation, list_folder
from ..errors import GenSegError
from ..files import read_json
from ..images.file_names import IMAGE_SUFFIXES, image_stem, is_image_file
from ..label_maps import parse_labels

_FOLDER_PAIRS = (("images", "labels"), ("imagesTr", "labelsTr"))


def list_images(path: Path) -> list[Path]:
    """Return the images at a path, sorted by name.

    A file or DICOM series folder is itself the only image; any other folder contributes its image
    files and DICOM series folders.

    Raises:
        GenSegError: there is no image.
    """
    if path.is_file() or is_dicom_folder(path):
        return [path]
    if not path.is_dir():
        raise GenSegError(f"{path}: no such file or folder")
    found = [p for p in list_folder(path) if is_image_file(p) or is_dicom_folder(p)]
    if not found:
        if any(map(is_segmentation, list_folder(path))):
            raise GenSegError(
                f"{path}: contains DICOM SEG labels but no images; choose folders of DICOM slices"
            )
        raise GenSegError(
            f"{path}: no images in this folder ({', '.join(IMAGE_SUFFIXES)} or folders of DICOM "
            "slices)"
        )
    return found


def list_labels(path: Path) -> list[Path]:
    """Return the label volumes at a path, sorted by name: image files and DICOM SEG files.

    Raises:
        GenSegError: there is no label.
    """
    entries = list_folder(path) if path.is_dir() else []
    found = [entry for entry in entries if is_image_file(entry) or is_segmentation(entry)]
    return list_images(path) if all(map(is_image_file, found)) else found


def read_cases(path: Path) -> CaseSet:
    """Read the cases of a folder or list file.

    Supported are `cases.json` (explicit pairs), the `dataset.json` of the Medical Segmentation
    Decathlon and of nnU-Net v2, and folders `images` and `labels` (or `imagesTr` and `labelsTr`).
    Test images of Decathlon and nnU-Net data sets are never read. Whether the files exist and are
    valid is tested by `checks`.

    Raises:
        GenSegError: the layout is unknown, or its list is invalid.
    """
    if path.is_file():
        return _read_list(path)
    if not path.is_dir():
        raise GenSegError(f"{path}: no such folder; choose the folder with the cases")
    for name in ("cases.json", "dataset.json"):
        if (path / name).is_file():
            return _read_list(path / name)
    for images, labels in _FOLDER_PAIRS:
        if (path / images).is_dir() and (path / labels).is_dir():
            return read_pair_folders(path / images, path / labels)
    raise GenSegError(
        f"{path}: no cases found; the folder must contain a cases.json, a dataset.json, or the "
        "folders images and labels"
    )


def read_pair_folders(images: Path, labels: Path) -> CaseSet:
    """Pair the images of one folder with the labels of the same name in another.

    Suffixes and nnU-Net's channel numbers are ignored: `a_0000.nii.gz` matches `a.seg.nrrd`, and
    the folder `a` of DICOM slices the DICOM SEG `a.dcm`. Images without a label are unlabeled
    cases.

    Raises:
        GenSegError: a label has no image, or two files have the same case name.
    """
    image_of = _by_case_name(images, list_images)
    label_of = _by_case_name(labels, list_labels)
    orphans = sorted(label_of.keys() - image_of.keys())
    if orphans:
        raise GenSegError(f"{label_of[orphans[0]]}: no image of the same name in {images}")
    cases = []
    for name, image in image_of.items():
        label = label_of.get(name)
        cases.append(Case(name, image, label, Role.TRAIN if label else Role.UNLABELED))
    return CaseSet(tuple(cases))


def _by_case_name(folder: Path, list_files: Callable[[Path], list[Path]]) -> dict[str, Path]:
    if not folder.is_dir():
        raise GenSegError(f"{folder}: no such folder")
    paths: dict[str, Path] = {}
    for path in list_files(folder):
        name = _case_name(path)
        if name in paths:
            raise GenSegError(
                f"{path}: same case {name} as {paths[name].name}, and multi-channel cases are not "
                "supported; keep one file per case"
            )
        paths[name] = path
    return paths


def _case_name(path: Path) -> str:
    """Return the stem without nnU-Net's channel number."""
    stem = image_stem(path)
    name, separator, channel = stem.rpartition("_")
    is_channel = separator and len(channel) == 4 and channel.isdigit() and channel.startswith("00")
    return name if is_channel and name else stem


def _read_list(path: Path) -> CaseSet:
    values = read_json(path)
    try:
        if "cases" in values:
            return CaseSet.from_json(values, path.parent)
        if "training" in values:
            return _read_decathlon(values, path.parent)
        if "channel_names" in values:
            return _read_nnunet(values, path.parent)
    except GenSegError as error:
        raise GenSegError(f"{path}: {error}") from None
    except OSError as error:
        raise GenSegError(f"{path}: invalid file name in the list ({error.strerror})") from None
    raise GenSegError(f'{path}: has none of "cases", "training" and "channel_names"')


def read_label_names(path: Path) -> dict[int, str]:
    """Return the label names in a list of cases; empty if there are none.

    The cases themselves may be missing or of an unsupported kind.
    """
    for parse in (parse_labels, _parse_nnunet_labels):
        with suppress(GenSegError):
            return parse(read_json(path).get("labels", {}))
    return {}


def _read_decathlon(values: Mapping[str, Any], base: Path) -> CaseSet:
    if not isinstance(values["training"], list):
        raise GenSegError('"training" must be a list')
    cases = []
    for entry in values["training"]:
        files = entry if isinstance(entry, dict) else {}
        image, label = files.get("image"), files.get("label")
        if not isinstance(image, str) or not isinstance(label, str):
            raise GenSegError(f'an entry of "training" lacks "image" or "label": {entry}')
        cases.append(Case(image_stem(Path(image)), base / image, base / label))
    modality = _parse_modality(values.get("modality", {}))
    return CaseSet(tuple(cases), parse_labels(values.get("labels", {})), modality)


def _read_nnunet(values: Mapping[str, Any], base: Path) -> CaseSet:
    modality = _parse_modality(values["channel_names"])
    pairs = read_pair_folders(base / "imagesTr", base / "labelsTr")
    missing = [case.name for case in pairs.cases if case.label is None]
    if missing:
        raise GenSegError(
            f"case {missing[0]} has no label in labelsTr; add the label or remove the image"
        )
    return CaseSet(pairs.cases, _parse_nnunet_labels(values.get("labels", {})), modality)


def _parse_nnunet_labels(values: object) -> dict[int, str]:
    if not isinstance(values, Mapping):
        raise GenSegError('"labels" must be an object of the form {"name": 1}')
    if "ignore" in values:
        raise GenSegError('the label "ignore" is not supported; annotate these voxels')
    if not all(isinstance(value, (int, str)) for value in values.values()):
        raise GenSegError("region labels (several values per name) are not supported")
    return parse_labels({str(value): name for name, value in values.items()})


def _parse_modality(channels: object) -> str:
    """Return "MR", "CT" or "" for channel names such as {"0": "MRI"}."""
    names = list(channels.values()) if isinstance(channels, Mapping) else []
    if len(names) > 1:
        raise GenSegError(
            f"{len(names)} channels ({', '.join(map(str, names))}), but multi-channel cases are "
            "not supported; keep one channel"
        )
    name = str(names[0]).upper() if names else ""
    if name.startswith("CT"):
        return "CT"
    return "MR" if name.startswith(("MR", "T1", "T2", "FLAIR")) else ""
