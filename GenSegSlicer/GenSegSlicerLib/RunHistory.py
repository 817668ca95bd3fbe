"""The runs and models that were used lately, remembered in Slicer's settings."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import qt

from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import METADATA
from GenSegLib.runs import RunFolder

_RUNS, _MODELS = "GenSegSlicer/runs", "GenSegSlicer/models"
_KEPT = 50
_LOOKED_AT = 5


class RunHistory:
    """Lists of folders, newest first.

    They are kept as one text each: QSettings gives lists back as tuples, and one entry as a text.
    """

    def runs(self) -> list[Path]:
        """The run folders that are still there."""
        return [path for path in _read(_RUNS) if RunFolder.is_run(path)]

    def addRun(self, runFolder: Path) -> None:
        """Remember a run."""
        _remember(_RUNS, runFolder)

    def models(self) -> list[Path]:
        """The model folders of finished runs, and others that were used."""
        trained = [RunFolder(run).model for run in _read(_RUNS)]
        found = dict.fromkeys([*_read(_MODELS), *trained])
        return [path for path in found if (path / METADATA).is_file()]

    def addModel(self, folder: Path) -> None:
        """Remember a model that was used."""
        _remember(_MODELS, folder)

    def runningRun(self) -> Path | None:
        """A run of late that a process of this machine trains right now."""
        return next((run for run in self.runs()[:_LOOKED_AT] if _isTrainedHere(run)), None)


def modelFolder(folder: Path) -> Path:
    """The model folder of a run, or the model folder itself."""
    return RunFolder(folder).model if RunFolder.is_run(folder) else folder


def _isTrainedHere(path: Path) -> bool:
    run = RunFolder(path)
    try:
        return run.is_running() and run.read_status().get("host") == socket.gethostname()
    except GenSegError:
        return False


def _read(key: str) -> list[Path]:
    try:
        listed = json.loads(str(qt.QSettings().value(key, "[]")))
    except ValueError:
        return []
    texts = listed if isinstance(listed, list) else []
    return [Path(text) for text in texts if isinstance(text, str)]


def _remember(key: str, folder: Path) -> None:
    paths = [str(path) for path in dict.fromkeys([Path(folder).absolute(), *_read(key)])]
    qt.QSettings().setValue(key, json.dumps(paths[:_KEPT], ensure_ascii=True))
