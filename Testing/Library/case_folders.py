"""Folders of cases without content, for tests of layouts."""

from __future__ import annotations

import json
from pathlib import Path

from GenSegLib.cases import CaseSet


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def write_dataset(folder: Path, values: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


DECATHLON = {
    "modality": {"0": "MRI"},
    "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
    "training": [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}],
    "test": ["./imagesTs/b.nii.gz"],
}
NNUNET = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "liver": 1, "lesion": 2},
    "numTraining": 1,
    "file_ending": ".nii.gz",
}


def names_of(cases: CaseSet) -> list[str]:
    return [case.name for case in cases.labeled]
