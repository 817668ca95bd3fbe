"""The run folder: all that one training was asked, does and gives, in files.

Light: the standard library alone.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

from . import outputs
from .cases import CaseSet
from .config import TrainConfig
from .errors import DriveAway, GenSegError
from .files import atomic_folder, reachable, read_json, remove, write_bytes, write_json
from .presets import Preset
from .run_lock import RunLock

FORMAT_VERSION = 1
ENTRIES = (
    *("config.json", "cases.json", "status.json", "lock", "stop", "events.jsonl", "feedback.json"),
    *("checkpoints", "tensorboard"),
    *("report.html", "scores.csv", "scores.json"),
    *("inputs", "process.log"),  # of a run that was made in 3D Slicer
)

PATTERNS = (
    *("previews/*/*.nii.gz", "previews/*/pairs.json"),
    *("model/configs/*.json", "model/models/model.pt", "model/manifest.json"),
)

_LEFTOVERS = (
    *(f".{name}.*.tmp" for name in ("status.json", "lock", "model", "report.html")),
    *("checkpoints/.*.tmp", "previews/.*.tmp"),
)


class State(str, Enum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    FINISHED = "finished"


class RunFolder:
    """A run folder that exists; see `create` and `open`."""

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
    ) -> RunFolder:
        """Write down a training that is to be done.

        With `overwrite` an older run at `path` is removed, if it is one and holds nothing else.

        Raises:
            GenSegError: `path` exists, is in use, or cannot be written.
        """
        path = Path(path)
        cls.require_free(path, overwrite)
        asked = {"format_version": FORMAT_VERSION, "train": config.to_json()}
        with atomic_folder(path, lambda: cls.require_free(path, overwrite)) as folder:
            write_json(folder / "config.json", asked | {"preset": preset.to_json()})
            write_json(folder / "cases.json", cases.to_json(path))
            cls(folder).write_status(State.QUEUED, 0)
        return cls(path)

    @classmethod
    def require_free(cls, path: Path, overwrite: bool) -> None:
        """Make sure that `create` could write to `path`; raises as that does."""
        if not cls.is_run(path):
            outputs.require_free(path, overwrite)
        elif not overwrite:
            raise GenSegError(f"{path} holds a run already; add --resume or --overwrite")
        elif cls(path).is_running():
            raise GenSegError(f"{path} is being trained right now; stop that first")
        else:
            outputs.require_own(path, ENTRIES, PATTERNS)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Give the run that is at `path`.

        Raises:
            GenSegError: there is none.
        """
        if not cls.is_run(path):
            if (path / "config.json").is_file():
                read_json(path / "config.json")  # where it is damaged, this says so
            raise GenSegError(
                f"{path} is no run folder; make one with: genseg train DATA --out RUN"
            )
        return cls(path)

    @staticmethod
    def is_run(path: Path) -> bool:
        """Tell whether a folder was made by `create`."""
        try:
            return {"format_version", "train", "preset"} <= set(read_json(path / "config.json"))
        except GenSegError:
            return False

    @cached_property
    def config(self) -> TrainConfig:
        """The settings that were asked for."""
        return TrainConfig.from_json(self._asked["train"])

    @cached_property
    def preset(self) -> Preset:
        """The preset as it was when the run was made."""
        return Preset.from_json(self._asked["preset"])

    @cached_property
    def cases(self) -> CaseSet:
        """The cases with their roles."""
        return CaseSet.from_json(read_json(self.path / "cases.json"), self.path)

    @property
    def labels(self) -> dict[int, str]:
        """The names of the label values, which the cases have or the preset."""
        return dict(sorted((self.cases.labels or self.preset.labels).items()))

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def previews(self) -> Path:
        """The folder of the previews, one folder a step in it."""
        return self.path / "previews"

    @property
    def model(self) -> Path:
        """The folder of the trained model."""
        return self.path / "model"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def events_file(self) -> Path:
        """The file of all events, for `events.read_events`."""
        return self.path / "events.jsonl"

    @property
    def stop_file(self) -> Path:
        """The file whose presence asks the training to stop."""
        return self.path / "stop"

    def require_present(self) -> None:
        """Make sure that the run is still there, before something would make its folder anew.

        Where a drive was mounted its empty mount point stays behind, and is no run.

        Raises:
            DriveAway: it is gone.
        """
        with reachable(self.path):
            present = (self.path / "config.json").is_file()
        if not present:
            raise DriveAway(f"{self.path} is gone; bring its drive back, then resume")

    def write_status(self, state: State, step: int, **more: Any) -> None:
        """Write where the run stands, with this process and the time as its heartbeat.

        Raises:
            GenSegError: the disk is full, or the run folder is gone; it is not made anew.
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
        """Give what `write_status` wrote last.

        A run without a status is queued, one whose status a crash damaged has failed.
        """
        if not (self.path / "status.json").exists():
            return {"state": State.QUEUED.value, "step": 0}
        failed = {"state": State.FAILED.value, "step": 0}
        try:
            return failed | read_json(self.path / "status.json")
        except GenSegError:
            return failed

    def request_stop(self) -> None:
        """Ask the training to finish its step, write a checkpoint and end."""
        write_bytes(self.stop_file, b"")

    def stop_requested(self) -> bool:
        """Tell whether somebody asked for a stop."""
        return self.stop_file.exists()

    def clear_stop(self) -> None:
        """Forget a request to stop."""
        self.stop_file.unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove what a training that was killed had begun to write; for the lock's holder.

        What others write here meanwhile, such as feedback, is left alone.
        """
        for pattern in _LEFTOVERS:
            for path in self.path.glob(pattern):
                remove(path)

    def has_begun(self) -> bool:
        """Tell whether a training left something here that another one would destroy."""
        return self.model.exists() or any(self.checkpoints.glob("*"))

    def is_running(self) -> bool:
        """Tell whether a process, here or on another machine, trains this run."""
        return RunLock(self.path / "lock").is_held()

    @contextmanager
    def lock(self, tell: Callable[[str], None] | None = None) -> Iterator[RunLock]:
        """Keep every other process out of this run.

        The lock of a process that died is taken over; see `RunLock`, which `tell` is for.

        Raises:
            GenSegError: another process trains this run.
        """
        with RunLock(self.path / "lock", tell) as lock:
            yield lock

    @cached_property
    def _asked(self) -> dict[str, Any]:
        asked = read_json(self.path / "config.json")
        if asked.get("format_version") != FORMAT_VERSION:
            raise GenSegError(f"{self.path} was made by another version of GenSeg; train it anew")
        return asked
