"""The labeled cases of a split in nnU-Net's layout, the test cases' images beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from protocol import Split

DATASET = "Dataset001_LowData"


def write_dataset(raw: Path, data: Path, split: Split) -> Path:
    """Write `raw/Dataset001_LowData` with imagesTr, labelsTr, imagesTs and dataset.json.

    Labels of test cases are not copied.

    Args:
        raw: nnU-Net's folder of raw data; an earlier dataset of this name is replaced.
        data: cases in the Decathlon's layout.
        split: of these cases.
    """
    known = json.loads((data / "dataset.json").read_text(encoding="utf-8"))
    folder = raw / DATASET
    shutil.rmtree(folder, ignore_errors=True)
    _copy_images(data, split.labeled, folder / "imagesTr")
    _copy_images(data, split.test, folder / "imagesTs")
    labels = folder / "labelsTr"
    labels.mkdir()
    for name in split.labeled:
        shutil.copyfile(data / "labelsTr" / f"{name}.nii.gz", labels / f"{name}.nii.gz")
    description = {
        "channel_names": {"0": "MRI"},
        "labels": {name: int(value) for value, name in known["labels"].items()},
        "numTraining": len(split.labeled),
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
    return folder


def _copy_images(data: Path, names: Iterable[str], folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in names:
        shutil.copyfile(data / "imagesTr" / f"{name}.nii.gz", folder / f"{name}_0000.nii.gz")
