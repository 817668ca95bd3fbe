"""The archive for bug reports, which identifies nobody."""

from __future__ import annotations

import json
import socket
import zipfile
from pathlib import Path

import pytest

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.cli import main
from GenSegLib.config import TrainConfig
from GenSegLib.events import EventLog
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder, State

NAME = "Quackenbush_Ermintrude"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run whose case, folder and files are named after a patient."""
    folder = tmp_path / f"scans of {NAME}"
    image, label = folder / f"{NAME}.nii.gz", folder / f"{NAME}_label.nii.gz"
    cases = CaseSet((Case(NAME, image, label, Role.TRAIN),), {1: "Liver"}, "CT")
    made = RunFolder.create(tmp_path / "run", TrainConfig(seed=7), load_preset("generic-ct"), cases)
    log = EventLog(made.events_file)
    log.log(f"{image}: truncated; case {NAME} is skipped", "warning")
    log.error(f"{Path.home() / 'private' / 'thing.nii'} of {NAME}.nii.gz cannot be read")
    log.metrics("joint", 5, segmenter_loss=0.5)
    (made.previews / "000005").mkdir(parents=True)
    (made.previews / "000005" / f"validation_{NAME}_image.nii.gz").write_bytes(b"voxels")
    made.write_status(State.FAILED, 5)
    return made


def report(run: RunFolder, path: Path) -> dict[str, str]:
    assert main(["support", str(run.path), "--out", str(path)]) == 0
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_the_archive_has_versions_settings_and_events_but_no_names(
    run: RunFolder, tmp_path: Path
) -> None:
    found = report(run, tmp_path / "a.zip")
    assert json.loads(found["config.json"])["train"]["seed"] == 7
    assert "torch" in json.loads(found["environment.json"])["versions"]
    assert json.loads(found["cases.json"])["cases"] == [{"name": "case-1", "role": "train"}]
    assert '"segmenter_loss": 0.5' in found["events.jsonl"]
    assert "case case-1 is skipped" in found["events.jsonl"]
    assert json.loads(found["files.json"])["previews/000005"] == len(b"voxels")
    host = f'"{socket.gethostname()}"'
    for name, text in found.items():
        for word in ("Quackenbush", str(tmp_path), "private", host, "voxels"):
            assert word not in text, f"{word} in {name}"


def test_a_damaged_run_can_be_reported(run: RunFolder, tmp_path: Path) -> None:
    (run.path / "cases.json").write_text("{")
    (run.path / "status.json").write_text("")
    found = report(run, tmp_path / "a.zip")
    assert "not valid JSON" in found["status.json"]
    assert not any("Quackenbush" in text for text in found.values())


def test_an_existing_archive_is_not_replaced(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.zip").write_text("mine")
    assert main(["support", str(run.path), "--out", str(tmp_path / "a.zip")]) == 2
    assert "already exists" in capsys.readouterr().err
    assert (tmp_path / "a.zip").read_text() == "mine"
