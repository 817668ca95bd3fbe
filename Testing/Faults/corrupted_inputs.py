"""Kinds of input files, each with a way to write, corrupt and read one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from mutations import mutate_bytes, mutate_values
from tiny_training import tiny_cases, tiny_run

from GenSegLib.datasets.image_io import (
    Volume,
    read_image,
    read_label,
    read_segment_names,
    write_image,
    write_label,
)
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.events import parse_line, read_events, to_line
from GenSegLib.feedback import Feedback
from GenSegLib.files import write_json
from GenSegLib.models import manifest
from GenSegLib.models.folder import FILES, METADATA, WEIGHTS
from GenSegLib.models.weights import load_segmenter
from GenSegLib.runs import RunFolder
from Testing.volume_files import write_dicom_series

MODEL = Path(__file__).parents[1] / "Models" / "format-4"


@dataclass(frozen=True)
class Input:
    """One kind of input: `make` writes a valid one, `corrupt` its `file`, `read` reads it.

    `finish` updates checksums after the corruption.
    """

    name: str
    file: str
    make: Callable[[Path], None]
    corrupt: Callable[[Path, Random], None]
    read: Callable[[Path], object]
    finish: Callable[[Path], None] = lambda folder: None

    def try_corrupted(self, folder: Path, random: Random) -> object:
        """Write, corrupt and read one input in an empty folder."""
        self.make(folder)
        self.corrupt(folder, random)
        self.finish(folder)
        return self.read(folder)


def _image(name: str) -> Input:
    def make(folder: Path) -> None:
        voxels = np.arange(6 * 5 * 4).reshape(1, 6, 5, 4) % 3
        label = Volume(voxels.astype(np.int16), np.diag([1, 1, 2, 1.0]))
        if "seg" in name:
            write_label(folder / name, label, {1: "Liver", 2: "Lesion"})
        else:
            write_image(folder / name, label)

    def read(folder: Path) -> object:
        for reader in (read_image, read_label, read_segment_names):
            reader(folder / name)
        return None

    return Input(name, name, make, _corrupt(name), read)


def _corrupt(name: str) -> Callable[[Path, Random], None]:
    def corrupt(folder: Path, random: Random) -> None:
        path = folder / name
        path.write_bytes(mutate_bytes(path.read_bytes(), random))

    return corrupt


def _dicom() -> Input:
    def make(folder: Path) -> None:
        write_dicom_series(folder / "ct", [0, 2, 4])

    def corrupt(folder: Path, random: Random) -> None:
        path = random.choice(sorted((folder / "ct").iterdir()))
        path.write_bytes(mutate_bytes(path.read_bytes(), random, head=1200))

    return Input("DICOM", "ct/1.2.3_0.dcm", make, corrupt, lambda folder: read_image(folder / "ct"))


def _list(name: str, values: dict[str, Any]) -> Input:
    def make(folder: Path) -> None:
        for part in ("imagesTr", "labelsTr"):
            (folder / part).mkdir()
            (folder / part / "a_0000.nii.gz").touch()
            (folder / part / "b.nii.gz").touch()
        (folder / name).write_text(json.dumps(values), encoding="utf-8")

    def corrupt(folder: Path, random: Random) -> None:
        text = json.dumps(mutate_values(values, random)).encode()
        if random.random() < 0.3:
            text = mutate_bytes(json.dumps(values).encode(), random)
        (folder / name).write_bytes(text)

    return Input(f"{name} of {next(iter(values))}", name, make, corrupt, read_cases)


DECATHLON: dict[str, Any] = {
    "modality": {"0": "MRI"},
    "labels": {"0": "background", "1": "Anterior"},
    "training": [{"image": "./imagesTr/b.nii.gz", "label": "./labelsTr/b.nii.gz"}],
}
NNUNET: dict[str, Any] = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "liver": 1},
    "numTraining": 1,
    "file_ending": ".nii.gz",
}
CASES: dict[str, Any] = {
    "cases": [{"name": "a", "image": "a.nii.gz", "label": "b.nii.gz", "role": "train"}],
    "labels": {"1": "Anterior"},
    "modality": "MR",
}


def _model(name: str) -> Input:
    def make(folder: Path) -> None:
        shutil.copytree(MODEL, folder / "model")

    def corrupt(folder: Path, random: Random) -> None:
        path = folder / "model" / name
        if name.endswith(".json") and random.random() < 0.8:
            values = json.loads(path.read_text(encoding="utf-8"))
            if name == METADATA and random.random() < 0.8:
                values["genseg"] = mutate_values(values["genseg"], random)
            path.write_text(json.dumps(mutate_values(values, random)), encoding="utf-8")
        else:
            path.write_bytes(mutate_bytes(path.read_bytes(), random))

    def finish(folder: Path) -> None:
        if name != manifest.MANIFEST:
            manifest.write_manifest(folder / "model", FILES)

    def read(folder: Path) -> object:
        return load_segmenter(folder / "model")

    return Input(f"model: {name}", f"model/{name}", make, corrupt, read, finish)


def _run(name: str) -> Input:
    valid = {"rejected_pairs": [["a", "b"]], "rejected_kinds": {"blending": 1}}

    def make(folder: Path) -> None:
        known = folder.parent / "valid-run"
        if not known.exists():
            tiny_run(known / "run", tiny_cases(known / "cases"))
        shutil.copytree(known / "run", folder / "run")
        write_json(folder / "run" / "feedback.json", valid)

    def corrupt(folder: Path, random: Random) -> None:
        path = folder / "run" / name
        values = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(mutate_values(values, random)), encoding="utf-8")
        if random.random() < 0.3:
            path.write_bytes(mutate_bytes(path.read_bytes(), random))

    def read(folder: Path) -> object:
        run = RunFolder.open(folder / "run")
        return (
            *(run.config, run.preset, run.cases, run.read_status(), run.is_running()),
            Feedback.load(run.path).strength("blending"),
        )

    return Input(f"run: {name}", f"run/{name}", make, corrupt, read)


def _events() -> Input:
    event = {"time": 1.5, "kind": "metrics", "phase": "joint", "step": 5, "gamma": 0.5}

    def make(folder: Path) -> None:
        (folder / "events.jsonl").write_text(f"{to_line(event)}\n" * 3, encoding="utf-8")

    def read(folder: Path) -> object:
        parse_line((folder / "events.jsonl").read_bytes())
        return read_events(folder / "events.jsonl")

    return Input("event lines", "events.jsonl", make, _corrupt("events.jsonl"), read)


INPUTS = (
    *map(_image, ("a.nii", "a.nii.gz", "a.nrrd", "a.seg.nrrd", "a.mha")),
    _dicom(),
    *(_list("dataset.json", DECATHLON), _list("dataset.json", NNUNET), _list("cases.json", CASES)),
    *map(_model, (METADATA, "configs/inference.json", manifest.MANIFEST, WEIGHTS)),
    *map(_run, ("config.json", "cases.json", "status.json", "feedback.json")),
    _events(),
)
