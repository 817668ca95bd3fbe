"""Finds the cases in a folder: Medical Segmentation Decathlon, nnU-Net v2, pairs, cases.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..cases import Case, CaseSet, Role
from ..dicom.preamble import holds_image, is_dicom, is_segmentation, read_head
from ..errors import GenSegError
from ..files import read_json
from ..label_maps import parse_labels

IMAGE_SUFFIXES = (
    *(".seg.nrrd", ".nii.gz", ".gipl.gz", ".nii", ".nrrd", ".nhdr"),
    *(".mha", ".mhd", ".hdr", ".gipl", ".mnc"),
)


def is_image_file(path: Path) -> bool:
    """Whether the name is that of an image file; hidden files (`._a.nii.gz`) are none."""
    return not path.name.startswith(".") and path.name.lower().endswith(IMAGE_SUFFIXES)


def image_stem(path: Path) -> str:
    """The name without its image ending: `a.nii.gz` gives `a`, a DICOM folder its own name."""
    for suffix in IMAGE_SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.name if path.is_dir() else path.stem


def is_dicom_folder(path: Path) -> bool:
    """Whether DICOM files are in the folder itself, and no image of another format."""
    if not path.is_dir():
        return False
    entries = _entries(path)
    return not any(map(is_image_file, entries)) and any(map(is_dicom_file, entries))


def is_dicom_file(path: Path) -> bool:
    """Whether this is a DICOM file that holds an image."""
    return holds_image(head) if (head := _dicom_head(path)) else False


def _dicom_head(path: Path) -> bytes:
    """Read the first bytes of a DICOM file; none of any other file."""
    if path.name.startswith(".") or not path.is_file():
        return b""
    try:
        head = read_head(path)
    except GenSegError:
        return b""
    return head if is_dicom(head) else b""


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise GenSegError(f"{folder}: cannot be read ({error.strerror or error})") from None


def list_images(path: Path) -> list[Path]:
    """The images at a path, sorted by name.

    A file is that file, a DICOM series folder is itself, any other folder is its image files and
    its DICOM series folders.

    Raises:
        GenSegError: nothing is there.
    """
    if path.is_file() or is_dicom_folder(path):
        return [path]
    if not path.is_dir():
        raise GenSegError(f"{path}: no such file or folder")
    found = [p for p in _entries(path) if is_image_file(p) or is_dicom_folder(p)]
    if not found:
        if any(map(is_segmentation, _entries(path))):
            raise GenSegError(f"{path}: DICOM SEG are labels and no images; give folders of slices")
        known = ", ".join(IMAGE_SUFFIXES)
        raise GenSegError(f"{path}: no image is in this folder ({known} or folders of DICOM files)")
    return found


def list_labels(path: Path) -> list[Path]:
    """The label volumes at a path, sorted by name: image files, and DICOM SEG in files of any name.

    Raises:
        GenSegError: nothing is there.
    """
    entries = _entries(path) if path.is_dir() else []
    found = [entry for entry in entries if is_image_file(entry) or is_segmentation(entry)]
    return list_images(path) if all(map(is_image_file, found)) else found


def read_cases(path: Path) -> CaseSet:
    """Read the cases of a folder or of a list file.

    Known are a `cases.json` (explicit pairs), a `dataset.json` of the Medical Segmentation
    Decathlon or of nnU-Net v2, and a folder with `images` and `labels` (or `imagesTr` and
    `labelsTr`). The test images of the Decathlon and of nnU-Net are left alone, since they are to
    stay unseen. Whether the listed files exist and are sound is for `checks` to say.

    Raises:
        GenSegError: there is no such layout, or its list is invalid.
    """
    if path.is_file():
        return _read_list(path)
    if not path.is_dir():
        raise GenSegError(f"{path}: no such folder; give the folder of the cases")
    for name in ("cases.json", "dataset.json"):
        if (path / name).is_file():
            return _read_list(path / name)
    for images, labels in (("images", "labels"), ("imagesTr", "labelsTr")):
        if (path / images).is_dir() and (path / labels).is_dir():
            return read_pair_folders(path / images, path / labels)
    raise GenSegError(
        f"{path}: no cases found; a folder of cases has a cases.json, a dataset.json, "
        f"or the folders images and labels"
    )


def read_pair_folders(images: Path, labels: Path) -> CaseSet:
    """Pair the images of one folder with the equally named labels of another.

    An image without a label is an unlabeled case. Names may differ in their ending and in
    nnU-Net's channel number: `a_0000.nii.gz` goes with `a.seg.nrrd`, a folder `a` of DICOM slices
    with the DICOM SEG `a.dcm`.

    Raises:
        GenSegError: a label has no image, no image has a label, or two files have one name.
    """
    image_of = _by_case_name(images, list_images)
    label_of = _by_case_name(labels, list_labels)
    orphans = sorted(label_of.keys() - image_of.keys())
    if orphans:
        raise GenSegError(f"{label_of[orphans[0]]}: no image of that name is in {images}")
    cases = []
    for name, image in image_of.items():
        label = label_of.get(name)
        cases.append(Case(name, image, label, Role.TRAIN if label else Role.UNLABELED))
    return CaseSet(tuple(cases))


def _by_case_name(folder: Path, listed: Callable[[Path], list[Path]]) -> dict[str, Path]:
    if not folder.is_dir():
        raise GenSegError(f"{folder}: no such folder")
    paths: dict[str, Path] = {}
    for path in listed(folder):
        name = _without_channel(path)
        if name in paths:
            raise GenSegError(
                f"{path}: {paths[name].name} is of the same case {name}, and cases of several "
                f"channels are not read yet; leave one file a case"
            )
        paths[name] = path
    return paths


def _without_channel(path: Path) -> str:
    """The case's name: the stem without the channel number that nnU-Net puts behind it."""
    stem = image_stem(path)
    name, separator, channel = stem.rpartition("_")
    numbered = separator and len(channel) == 4 and channel.isdigit() and channel.startswith("00")
    return name if numbered and name else stem


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
    except OSError as fault:
        raise GenSegError(f"{path}: it names a file that cannot be ({fault.strerror})") from None
    raise GenSegError(f'{path}: it has none of "cases", "training" and "channel_names"')


def read_label_names(path: Path) -> dict[int, str]:
    """Read the names of the labels from a list of cases; {} where it does not give any.

    The cases themselves may be missing, or of a kind that cannot be learned from.
    """
    for parse in (parse_labels, _nnunet_labels):
        with suppress(GenSegError):
            return parse(read_json(path).get("labels", {}))
    return {}


def _read_decathlon(values: Mapping[str, Any], base: Path) -> CaseSet:
    if not isinstance(values["training"], list):
        raise GenSegError('"training" is not a list')
    cases = []
    for entry in values["training"]:
        image, label = (entry.get(key) if isinstance(entry, dict) else None for key in _PAIR)
        if not isinstance(image, str) or not isinstance(label, str):
            raise GenSegError(f'an entry of "training" lacks its "image" or "label": {entry}')
        cases.append(Case(image_stem(Path(image)), base / image, base / label))
    return CaseSet(
        tuple(cases), parse_labels(values.get("labels", {})), _modality(values.get("modality", {}))
    )


_PAIR = ("image", "label")


def _read_nnunet(values: Mapping[str, Any], base: Path) -> CaseSet:
    modality = _modality(values["channel_names"])
    pairs = read_pair_folders(base / "imagesTr", base / "labelsTr")
    missing = [case.name for case in pairs.cases if case.label is None]
    if missing:
        raise GenSegError(f"case {missing[0]} has no label in labelsTr; add it or move the image")
    return CaseSet(pairs.cases, _nnunet_labels(values.get("labels", {})), modality)


def _nnunet_labels(values: object) -> dict[int, str]:
    if not isinstance(values, Mapping):
        raise GenSegError('"labels" is not an object of the form {"name": 1}')
    if "ignore" in values:
        raise GenSegError('the label "ignore" is not read yet; label these voxels or leave it out')
    if not all(isinstance(value, (int, str)) for value in values.values()):
        raise GenSegError("labels made of several values (regions) are not read yet")
    return parse_labels({str(value): name for name, value in values.items()})


def _modality(channels: object) -> str:
    """Normalize {"0": "MRI"} to "MR"; more than one channel is refused."""
    names = list(channels.values()) if isinstance(channels, Mapping) else []
    if len(names) > 1:
        raise GenSegError(
            f"{len(names)} channels ({', '.join(map(str, names))}): cases of several channels "
            f"are not read yet; leave one"
        )
    name = str(names[0]).upper() if names else ""
    if name.startswith("CT"):
        return "CT"
    return "MR" if name.startswith(("MR", "T1", "T2", "FLAIR")) else ""
