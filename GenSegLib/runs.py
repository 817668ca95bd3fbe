"""The run folder: settings, status, events, checkpoints, model and report of one training.

Light: the standard library only.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from . import outputs
from .cases import Case, CaseSet
from .config import TrainConfig
from .errors import DriveUnavailable, GenSegError
from .files import atomic_folder, drive_errors, read_json, remove, write_bytes, write_json
from .presets import Preset
from .run_lock import RunLock

FORMAT_VERSION = 1
ENTRIES = (
    *("config.json", "cases.json", "status.json", "lock", "stop", "events.jsonl", "feedback.json"),
    "plan.json",
    *("warm_start.json", "initial_model"),  # see models.initial_model
    *("checkpoints", "tensorboard"),  # the latter of earlier versions
    *("report.html", "scores.csv", "scores.json"),
    *("inputs", "process.log"),  # of runs created in 3D Slicer
)

PATTERNS = (
    *("previews/*/*.nii.gz", "previews/*/pairs.json", "previews/*/validation.json"),
    *("model/configs/*.json", "model/models/model.pt", "model/manifest.json"),
)

_TEMPORARY = (
    *(f".{name}.*.tmp" for name in ("status.json", "lock", "model", "report.html")),
    *("checkpoints/.*.tmp", "previews/.*.tmp"),
)


class State(str, Enum):
    """State of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    FINISHED = "finished"


class RunFolder:
    """An existing run folder; see `create` and `open`."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(
        cls,
        path: Path,
        config: TrainConfig,
        preset: Preset,
        cases: CaseSet,
        overwrite: bool = False,
        plan: Mapping[str, Any] | None = None,
        add_files: Callable[[Path], object] = lambda folder: None,
        requested: tuple[str, Mapping[str, Any]] | None = None,
    ) -> RunFolder:
        """Create the run folder of a training.

        Args:
            path: of the new folder.
            config: settings of the training.
            preset: of the task.
            cases: with their roles.
            overwrite: replace an earlier run at `path`, provided it contains nothing else.
            plan: how the preset was planned, see `planning.plan.Plan.to_json`.
            add_files: called with the folder before it appears at `path`, to add further files.
            requested: effort and settings that the user chose, for a plan that is made later.

        Raises:
            GenSegError: `path` exists, is in use, or cannot be written.
        """
        path = Path(path)
        cls.require_free(path, overwrite)
        with atomic_folder(path, lambda: cls.require_free(path, overwrite)) as folder:
            cls(folder)._write_settings(config, preset, plan, requested)
            write_json(folder / "cases.json", cases.to_json(path))
            cls(folder).write_status(State.QUEUED, 0)
            add_files(folder)
        return cls(path)

    @classmethod
    def require_free(cls, path: Path, overwrite: bool) -> None:
        """Check that `create` can write to `path`; raises as that does."""
        if not cls.is_run(path):
            outputs.require_free(path, overwrite)
        elif not overwrite:
            raise GenSegError(f"{path} already contains a run; resume it, or add --overwrite")
        elif cls(path).is_running():
            raise GenSegError(f"{path} is being trained at the moment; stop that first")
        else:
            outputs.require_own(path, ENTRIES, PATTERNS)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open the run at `path`.

        Raises:
            GenSegError: there is no run.
        """
        if not cls.is_run(path):
            if (path / "config.json").is_file():
                read_json(path / "config.json")  # reports a damaged file
            raise GenSegError(
                f"{path} is not a run folder; select a folder that a training has created"
            )
        return cls(path)

    @staticmethod
    def is_run(path: Path) -> bool:
        """Return whether a folder is a run folder."""
        try:
            return {"format_version", "train", "preset"} <= set(read_json(path / "config.json"))
        except GenSegError:
            return False

    @cached_property
    def config(self) -> TrainConfig:
        """Settings of the training."""
        return TrainConfig.from_json(self._settings["train"])

    @cached_property
    def preset(self) -> Preset:
        """The preset at the time the run was created."""
        return Preset.from_json(self._settings["preset"])

    @property
    def requested(self) -> tuple[str, dict[str, Any]] | None:
        """Effort and settings that the user chose, until the run is planned; None if unknown.

        They hold whatever the plan, even where they equal the defaults, which a plan changes.
        """
        requested = self._settings.get("requested")
        return (requested["effort"], requested["settings"]) if requested else None

    @cached_property
    def cases(self) -> CaseSet:
        """Cases with their roles."""
        return CaseSet.from_json(read_json(self.path / "cases.json"), self.path)

    @property
    def labels(self) -> dict[int, str]:
        """Names of the label values, from the cases or else the preset."""
        return dict(sorted((self.cases.labels or self.preset.labels).items()))

    @property
    def plan(self) -> dict[str, Any] | None:
        """How the preset was planned: `summary`, `notes`, `rows` and more; None if it was not."""
        path = self.path / "plan.json"
        return read_json(path) if path.exists() else None

    def set_plan(
        self,
        config: TrainConfig,
        preset: Preset,
        plan: Mapping[str, Any] | None,
        cases: CaseSet | None = None,
    ) -> None:
        """Replace settings and preset by planned ones, before the training begins.

        Args:
            config: planned settings.
            preset: with all values fixed.
            plan: JSON values of the plan; None if there is none.
            cases: checked cases; None if they stay as they are.

        Raises:
            GenSegError: the disk is full, or the run folder is gone.
        """
        self.require_present()
        self._write_settings(config, preset, plan)
        if cases is not None:
            write_json(self.path / "cases.json", cases.to_json(self.path))
        for name in ("config", "preset", "cases", "_settings"):
            self.__dict__.pop(name, None)  # of cached_property

    def _write_settings(
        self,
        config: TrainConfig,
        preset: Preset,
        plan: Mapping[str, Any] | None,
        requested: tuple[str, Mapping[str, Any]] | None = None,
    ) -> None:
        settings = {"format_version": FORMAT_VERSION, "train": config.to_json()}
        if requested is not None:
            settings["requested"] = dict(zip(("effort", "settings"), requested))
        if plan is not None:
            write_json(self.path / "plan.json", plan)
        write_json(self.path / "config.json", settings | {"preset": preset.to_json()})

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def previews(self) -> Path:
        """Folder of the previews, one folder per step."""
        return self.path / "previews"

    @property
    def model(self) -> Path:
        """Folder of the trained model."""
        return self.path / "model"

    @property
    def report(self) -> Path:
        """HTML report."""
        return self.path / "report.html"

    @property
    def events_file(self) -> Path:
        """File of all events, for `events.read_events`."""
        return self.path / "events.jsonl"

    @property
    def stop_file(self) -> Path:
        """File whose presence requests a stop."""
        return self.path / "stop"

    def require_present(self) -> None:
        """Check that the run still exists, so that no write recreates its folder.

        An unmounted drive leaves an empty mount point behind.

        Raises:
            DriveUnavailable: the run is gone.
        """
        with drive_errors(self.path):
            present = (self.path / "config.json").is_file()
        if not present:
            raise DriveUnavailable(f"{self.path} is gone; reconnect its drive, then resume")

    def write_status(self, state: State, step: int, **more: Any) -> None:
        """Write the status of the run, with the process, host and time.

        Raises:
            GenSegError: the disk is full, or the run folder is gone.
        """
        self.require_present()
        status = {
            "state": State(state).value,
            "step": step,
            "heartbeat": time.time(),
            "process": os.getpid(),
            "host": socket.gethostname(),
        }
        write_json(self.path / "status.json", status | more)

    def read_status(self) -> dict[str, Any]:
        """Read what `write_status` wrote last.

        A run without a status is queued; one whose status is damaged has failed.
        """
        if not (self.path / "status.json").exists():
            return {"state": State.QUEUED.value, "step": 0}
        failed = {"state": State.FAILED.value, "step": 0}
        try:
            return failed | read_json(self.path / "status.json")
        except GenSegError:
            return failed

    def request_stop(self) -> None:
        """Request the training to finish its step, save a checkpoint and end."""
        write_bytes(self.stop_file, b"")

    def stop_requested(self) -> bool:
        """Return whether a stop was requested."""
        return self.stop_file.exists()

    def clear_stop(self) -> None:
        """Clear a stop request."""
        self.stop_file.unlink(missing_ok=True)

    def remove_temporary_files(self) -> None:
        """Remove what a killed training left half-written; for the holder of the lock.

        Files that others may be writing, such as feedback, are kept.
        """
        for pattern in _TEMPORARY:
            for path in self.path.glob(pattern):
                remove(path)

    def has_begun(self) -> bool:
        """Return whether there is a model or a checkpoint."""
        return self.model.exists() or any(self.checkpoints.glob("*"))

    def is_running(self) -> bool:
        """Return whether a process, on this machine or another, is training this run."""
        return RunLock(self.path / "lock").is_held()

    @contextmanager
    def lock(self, log: Callable[[str], None] | None = None) -> Iterator[RunLock]:
        """Lock the run against other processes; see `RunLock`.

        Raises:
            GenSegError: another process is training this run.
        """
        with RunLock(self.path / "lock", log) as lock:
            yield lock

    @cached_property
    def _settings(self) -> dict[str, Any]:
        settings = read_json(self.path / "config.json")
        if settings.get("format_version") != FORMAT_VERSION:
            raise GenSegError(f"{self.path} was created by another version of GenSeg; train again")
        return settings


def learned_cases(model: Path) -> tuple[Case, ...]:
    """Return the cases that a run's model has learned from; none if not in a run.

    Raises:
        GenSegError: the list of the run's cases is damaged.
    """
    if not RunFolder.is_run(model.parent):
        return ()
    return RunFolder(model.parent).cases.labeled
