"""Recently used runs and models, stored in the application settings."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import qt

from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import METADATA
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.Paths import isFile

_RUN_NAME = re.compile(r"(.+)-(\d{4}-\d\d-\d\d)-(\d\d)(\d\d)\d\d(-\d+)?")
_RUNS, _MODELS = "GenSegSlicer/runs", "GenSegSlicer/models"
_MAX_REMEMBERED = 50
_MAX_CHECKED = 5


class RunHistory:
    """Lists of folders, most recent first.

    Each list is stored as a JSON string, since QSettings returns lists as tuples and a list of one
    entry as a string.
    """

    def runs(self) -> list[Path]:
        """Return the run folders that still exist."""
        return [path for path in _read(_RUNS) if RunFolder.is_run(path)]

    def addRun(self, runFolder: Path) -> None:
        """Add a run."""
        _add(_RUNS, runFolder)

    def models(self) -> list[Path]:
        """Return the model folders of finished runs, and others that were used."""
        trained = [RunFolder(run).model for run in _read(_RUNS)]
        found = dict.fromkeys([*_read(_MODELS), *trained])
        return [path for path in found if isFile(path / METADATA)]

    def addModel(self, folder: Path) -> None:
        """Add a model that was used."""
        _add(_MODELS, folder)

    def runningRun(self) -> Path | None:
        """Return a recent run that a process on this computer is training."""
        return next((run for run in self.runs()[:_MAX_CHECKED] if _isRunningHere(run)), None)


def runTitle(runFolder: Path) -> str:
    """Return date and time of a run before its preset, so that a narrow list shows them."""
    found = _RUN_NAME.fullmatch(runFolder.name)
    if found is None:
        return runFolder.name
    preset, date, hour, minute, suffix = found.groups(default="")
    return f"{date} {hour}:{minute} {preset}{suffix}"


def modelFolder(folder: Path) -> Path:
    """Return the model folder of a run, or the folder itself if it is not a run."""
    return RunFolder(folder).model if RunFolder.is_run(folder) else folder


def _isRunningHere(path: Path) -> bool:
    run = RunFolder(path)
    try:
        return run.is_running() and run.read_status().get("host") == socket.gethostname()
    except GenSegError:
        return False


def _read(key: str) -> list[Path]:
    try:
        entries = json.loads(str(qt.QSettings().value(key, "[]")))
    except ValueError:
        return []
    texts = entries if isinstance(entries, list) else []
    return [Path(text) for text in texts if isinstance(text, str)]


def _add(key: str, folder: Path) -> None:
    paths = [str(path) for path in dict.fromkeys([Path(folder).absolute(), *_read(key)])]
    qt.QSettings().setValue(key, json.dumps(paths[:_MAX_REMEMBERED], ensure_ascii=True))
