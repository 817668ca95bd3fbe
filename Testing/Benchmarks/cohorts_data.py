"""The benchmark cohorts and their protocols: which cases are labeled and which are test cases.

The data are not part of the repository: they are read from the folder that ``GENSEG_TEST_DATA``
names, or from ``../shared/data``. Groups (patients, or images of one original) are sorted by name
and permuted with ``numpy.random.RandomState(seed)``: labeled cases come from the front, test cases
from the end, and a group never lies on both sides. So the splits need no file.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK

ROOT = Path(__file__).resolve().parents[2]
_NIFTI = ".nii.gz"


def data_folder() -> Path:
    """Return the folder of the benchmark data, whether or not it exists."""
    return Path(os.environ.get("GENSEG_TEST_DATA") or ROOT.parent / "shared/data")


def _whole_name(name: str) -> str:
    return name


def _before_frame(name: str) -> str:
    return name.split("_frame")[0]


@dataclass(frozen=True)
class Cohort:
    """One data set and its protocol.

    Attributes:
        name: Folder below `data_folder`.
        modality: "MR", "CT" or "" (color images, X-ray, ultrasound).
        labeled: Numbers of labeled groups (volumes) or images (2-D) to train with; empty for test
            cohorts.
        test: Number of test groups (volumes) or test images (2-D); None stands for the last third
            of the groups, 0 for all cases (test cohorts).
        group_of: Group of a case, by its name; 2-D sets read ``groups.csv`` instead.
        spatial_dims: 2 or 3.
    """

    name: str
    modality: str
    labeled: tuple[int, ...] = ()
    test: int | None = 0
    group_of: Callable[[str], str] = _whole_name
    spatial_dims: int = 3


VOLUMES = (
    Cohort("hippocampus", "MR", (5, 10, 20, 40, 160), 48),
    Cohort("hippocampus_oasis", "MR"),
    Cohort("abdomen_ct_btcv", "CT", (10,), 8),
    Cohort("abdomen_mr_t2_chaos", "MR", (6,)),
    Cohort("atrium_mr_la2018", "MR", (8,), 10),
    Cohort("cardiac_cine_acdc", "MR", (7,), 12, _before_frame),
    Cohort("cardiac_bssfp_mscmr", "MR"),
    Cohort("cardiac_lge_mscmr", "MR"),
)
IMAGES = (
    Cohort("polyp_kvasir", "", (40,), None, spatial_dims=2),
    Cohort("polyp_clinicdb", "", spatial_dims=2),
    Cohort("skin_isic", "", (40,), 20, spatial_dims=2),
    Cohort("skin_ham10000", "", spatial_dims=2),
    Cohort("breast_busi", "", (40,), None, spatial_dims=2),
    Cohort("breast_busuclm", "", spatial_dims=2),
    Cohort("wound_fuseg", "", (40,), None, spatial_dims=2),
    Cohort("lung_jsrt", "", (9,), None, spatial_dims=2),
    Cohort("vessel_drive", "", (10,), None, spatial_dims=2),
    Cohort("oct_dukedme", "", (40,), None, spatial_dims=2),
)
COHORTS = {cohort.name: cohort for cohort in (*VOLUMES, *IMAGES)}

# Models of the first are also tested on the others, on the labels that both have.
ABDOMEN = {"Spleen": 1, "Right kidney": 2, "Left kidney": 3, "Liver": 6}
SHIFTED = {
    "hippocampus": ("hippocampus_oasis",),  # Anterior and Posterior count as one there
    "abdomen_ct_btcv": ("abdomen_mr_t2_chaos",),  # the four organs of ABDOMEN
    "abdomen_mr_t2_chaos": ("abdomen_ct_btcv",),
    "cardiac_cine_acdc": ("cardiac_bssfp_mscmr", "cardiac_lge_mscmr"),
    "polyp_kvasir": ("polyp_clinicdb",),
    "skin_isic": ("skin_ham10000",),
    "breast_busi": ("breast_busuclm",),
}


@dataclass(frozen=True)
class CohortCase:
    """Name, group and files of a case."""

    name: str
    group: str
    images: tuple[Path, ...]  # one file per channel
    label: Path | None


@dataclass(frozen=True)
class Split:
    """The cases of one training; no group is in both `labeled` and `test`."""

    labeled: tuple[CohortCase, ...]
    unlabeled: tuple[CohortCase, ...]  # images alone; the labels, where they exist, are not read
    test: tuple[CohortCase, ...]


def read_cohort(cohort: Cohort, folder: Path | None = None) -> list[CohortCase]:
    """Return the labeled cases of a cohort, sorted by name.

    Raises:
        FileNotFoundError: The data are absent.
    """
    base = folder or data_folder()
    if cohort.spatial_dims == 2:
        return _read_images(cohort, base / "images2d")
    return _read_volumes(cohort, base / cohort.name, "imagesTr", has_labels=True)


def split_cohort(cohort: Cohort, labeled: int, seed: int, folder: Path | None = None) -> Split:
    """Split a cohort as its protocol says.

    Cohorts without a number of test groups are test cohorts: all their cases are test cases when
    `labeled` is 0. With labeled cases, the rest serves as test cases.

    ACDC's `unlabeled` cases are those of ``imagesUnlabeled`` and the images of all patients that
    are not labeled, test patients included: a transductive setting that reads no test label.

    Raises:
        ValueError: Labeled and test cases would overlap.
    """
    cases = read_cohort(cohort, folder)
    groups = sorted({case.group for case in cases})
    order = [groups[k] for k in np.random.RandomState(seed).permutation(len(groups))]
    members = {group: [case for case in cases if case.group == group] for group in groups}
    chosen, last = _front(cohort, order, members, labeled), _end(cohort, order, members, labeled)
    if chosen & last:
        raise ValueError(f"{cohort.name}: {labeled} labeled cases reach into the test cases")
    train = [case for group in order if group in chosen for case in members[group]]
    if cohort.spatial_dims == 2:
        train = train[:labeled]
    test = tuple(case for group in order if group in last for case in members[group])
    rest = [case for group in order if group not in chosen | last for case in members[group]]
    if cohort.name == "cardiac_cine_acdc":
        base = (folder or data_folder()) / cohort.name
        rest += [*test, *_read_volumes(cohort, base, "imagesUnlabeled", has_labels=False)]
    return Split(tuple(train), tuple(rest), test)


def write_cases(
    file: Path,
    cohort: Cohort,
    split: Split,
    labels: Mapping[str, int],
    *,
    with_unlabeled: bool = False,
) -> None:
    """Write the ``cases.json`` of a training: labeled cases and, if asked for, unlabeled images.

    Test cases never appear with a label.

    Args:
        file: Where to write.
        cohort: The cohort of `split`.
        split: Which cases to list.
        labels: Class names and their values in the label files; others become background.
        with_unlabeled: List the unlabeled cases, too, without the path of any label.
    """
    is_part = any(
        set(labels) < set(cohort_labels(cohort, case.images[0].parents[2]))
        for case in split.labeled[:1]
        if case.label is not None
    )
    file.parent.mkdir(parents=True, exist_ok=True)

    def entry(case: CohortCase, role: str) -> dict[str, str | None]:
        label = case.label if role == "train" else None
        if label is not None and is_part:
            label = _keep_values(label, file.parent / "labels" / label.name, labels.values())
        return {
            "name": case.name,
            "image": str(case.images[0]),
            "label": label and str(label),
            "role": role,
        }

    entries = [entry(case, "train") for case in _by_name(split.labeled)]
    if with_unlabeled:
        entries += [entry(case, "unlabeled") for case in _by_name(split.unlabeled)]
    values = {
        "modality": cohort.modality,
        "labels": {str(value): name for name, value in labels.items()},
        "cases": entries,
    }
    file.write_text(json.dumps(values, indent=1), encoding="utf-8")


def _keep_values(label: Path, copy: Path, values: Iterable[int]) -> Path:
    """Write a copy of a label file in which all other values are background."""
    image = SimpleITK.ReadImage(str(label))
    array = SimpleITK.GetArrayFromImage(image)
    kept = SimpleITK.GetImageFromArray(np.where(np.isin(array, list(values)), array, 0))
    kept.CopyInformation(image)
    copy.parent.mkdir(exist_ok=True)
    SimpleITK.WriteImage(kept, str(copy))
    return copy


def cohort_labels(cohort: Cohort, folder: Path | None = None) -> dict[str, int]:
    """Return class names and their values in the label files, without the background.

    Masks of 0 and 255 are read as 0 and 1.
    """
    if cohort.spatial_dims == 2:
        return {"foreground": 1}
    known = _description((folder or data_folder()) / cohort.name)["labels"]
    # Decathlon: value -> name; nnU-Net: name -> value
    pairs = [(n, v) if isinstance(v, int) else (v, int(n)) for n, v in known.items()]
    return {name: value for name, value in pairs if value > 0}


def write_nnunet_dataset(
    raw: Path, cohort: Cohort, split: Split, labels: Mapping[str, int], name: str
) -> Path:
    """Write `raw/name` in nnU-Net's layout: labeled cases, and the images of the test cases.

    An earlier dataset of this name is replaced. Labels of test cases are not copied; `labels` must
    cover every value of the label files.
    """
    folder = raw / name
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("imagesTr", "labelsTr", "imagesTs"):
        (folder / part).mkdir(parents=True)
    for part, cases in (("imagesTr", split.labeled), ("imagesTs", split.test)):
        for case in cases:
            for channel, image in enumerate(case.images):
                copy = folder / part / f"{case.name}_{channel:04d}{_NIFTI}"
                shutil.copyfile(image, copy)
    for case in split.labeled:
        assert case.label is not None
        shutil.copyfile(case.label, folder / "labelsTr" / f"{case.name}{_NIFTI}")
    channels = len(split.labeled[0].images)
    values = {
        "channel_names": {str(k): cohort.modality or "image" for k in range(channels)},
        "labels": {"background": 0, **labels},
        "numTraining": len(split.labeled),
        "file_ending": _NIFTI,
    }
    (folder / "dataset.json").write_text(json.dumps(values, indent=1), encoding="utf-8")
    return folder


def dice(prediction: np.ndarray, reference: np.ndarray, values: tuple[int, ...]) -> float:
    """Return the Dice of the union of some label values; NaN where neither array has any."""
    ours, theirs = np.isin(prediction, values), np.isin(reference, values)
    size = int(ours.sum()) + int(theirs.sum())
    return 2 * int((ours & theirs).sum()) / size if size else float("nan")


def _front(
    cohort: Cohort, order: list[str], members: Mapping[str, list[CohortCase]], labeled: int
) -> set[str]:
    """Return the groups that labeled cases are taken from."""
    if cohort.spatial_dims == 3:
        if labeled > len(order):
            raise ValueError(f"{cohort.name}: {labeled} labeled groups of {len(order)}")
        return set(order[:labeled])
    chosen: set[str] = set()
    for group in order:
        if sum(len(members[each]) for each in chosen) >= labeled:
            break
        chosen.add(group)
    return chosen


def _end(
    cohort: Cohort, order: list[str], members: Mapping[str, list[CohortCase]], labeled: int
) -> set[str]:
    """Return the groups of the test cases."""
    if cohort.test is None:
        return set(order[len(order) - len(order) // 3 :])
    if cohort.test == 0:
        return set(order) if labeled == 0 else set(order[labeled:])
    if cohort.spatial_dims == 3:
        return set(order[-cohort.test :])
    chosen: set[str] = set()
    for group in reversed(order):
        if sum(len(members[each]) for each in chosen) >= cohort.test:
            break
        chosen.add(group)
    return chosen


def _read_volumes(cohort: Cohort, folder: Path, part: str, *, has_labels: bool) -> list[CohortCase]:
    """Read the Decathlon's layout, or nnU-Net's where files end in a channel number."""
    files = sorted(path for path in (folder / part).glob(f"*{_NIFTI}") if path.name[0] != ".")
    if not files:
        raise FileNotFoundError(f"{folder / part}: no cases (set GENSEG_TEST_DATA)")
    has_channels = "channel_names" in _description(folder)
    found: dict[str, list[Path]] = {}
    for path in files:
        stem = path.name.removesuffix(_NIFTI)
        found.setdefault(stem[:-5] if has_channels else stem, []).append(path)
    return [
        CohortCase(
            name,
            cohort.group_of(name),
            tuple(images),
            folder / "labelsTr" / f"{name}{_NIFTI}" if has_labels else None,
        )
        for name, images in sorted(found.items())
    ]


def _read_images(cohort: Cohort, folder: Path) -> list[CohortCase]:
    groups_file = folder / "groups.csv"
    if not groups_file.is_file():
        raise FileNotFoundError(f"{groups_file}: not found (set GENSEG_TEST_DATA)")
    with groups_file.open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["set"] == cohort.name]
    images = {path.stem: path for path in (folder / cohort.name / "images").iterdir()}
    masks = {path.stem: path for path in (folder / cohort.name / "masks").iterdir()}
    return [
        CohortCase(row["image"], row["group"], (images[row["image"]],), masks[row["image"]])
        for row in sorted(rows, key=lambda row: row["image"])
    ]


def _by_name(cases: Iterable[CohortCase]) -> list[CohortCase]:
    return sorted(cases, key=lambda case: case.name)


def _description(folder: Path) -> dict:
    return json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
