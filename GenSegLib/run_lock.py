"""A lock file that works across machines that share a drive, and is released when its process ends.

Light: the standard library only; psutil where it is installed.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import GenSegError
from .files import drive_errors

HEARTBEAT_S = 10.0
STALE_S = 120.0
WATCH_S, POLL_S = 3 * HEARTBEAT_S, 1.0
_SAME_START_S = 1.5  # boot and start times are rounded


class RunLock:
    """A file that names its owner (process and machine) and is touched every `HEARTBEAT_S` seconds.

    On the owner's machine the lock is valid while its process exists, however long the machine was
    suspended and whatever its clock says. On another machine it is valid while it is touched; if
    the clocks leave that open, a taker watches it for `WATCH_S` seconds first.

    Args:
        path: the lock file.
        log: called with a message when the lock has to be watched.
        use: what its owner does with the folder, for messages.

    Raises:
        GenSegError: on entering, another process holds the lock.
    """

    def __init__(
        self,
        path: Path,
        log: Callable[[str], None] | None = None,
        use: str = "is being trained",
    ) -> None:
        self._path = path
        self._use = use
        self._log = log or (lambda text: None)
        self._owner: dict[str, Any] = {
            "process": os.getpid(),
            "space": pid_namespace(),
            "host": socket.gethostname(),
            "token": uuid.uuid4().hex,
        }
        self._ended = threading.Event()
        self._heartbeat = threading.Thread(target=self._touch_until_ended, daemon=True)

    def __enter__(self) -> RunLock:
        """Acquire the lock."""
        self._owner["start"] = process_start(os.getpid())
        if not self._create():
            self._remove_stale()
            if not self._create():
                self._raise_held(self._read())
        self._heartbeat.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock; if its drive is unavailable the lock becomes stale."""
        self._ended.set()
        self._heartbeat.join()
        with suppress(OSError, GenSegError):
            if self._read() == self._owner:
                self._path.unlink()

    def require_held(self) -> None:
        """Raise GenSegError if another process took the lock over, as after a suspend."""
        owner = self._read()
        if owner != self._owner:
            self._raise_held(owner)

    def is_missing(self) -> bool:
        """Return whether the file was deleted; raises GenSegError if its drive is unavailable."""
        return self._read() is None

    def is_held(self) -> bool:
        """Return whether a living process holds the lock."""
        owner = self._read()
        return owner is not None and self._is_alive(owner)

    def _create(self) -> bool:
        try:
            with self._path.open("x", encoding="utf-8") as stream:
                json.dump(self._owner, stream)
        except FileExistsError:
            return False
        except OSError as error:
            raise GenSegError(f"{self._path} cannot be written: {error.strerror}") from error
        return True

    def _remove_stale(self) -> None:
        """Remove the lock of a process that ended, but not one that was created meanwhile."""
        stale = self._read()
        if stale is None:
            return
        if self._is_alive(stale) or (not self._is_local(stale) and self._is_touched()):
            self._raise_held(stale)
        aside = self._path.with_name(f".lock.{uuid.uuid4().hex}.tmp")
        try:
            self._path.rename(aside)
        except FileNotFoundError:
            return
        taken = RunLock(aside)._read()
        if taken == stale:
            aside.unlink()
        else:
            aside.rename(self._path)
            self._raise_held(taken)

    def _read(self) -> dict[str, Any] | None:
        """Return the owner; {} for a lock that is incomplete or damaged, None if there is none."""
        try:
            with drive_errors(self._path):
                owner = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return owner if isinstance(owner, dict) else {}

    def _is_alive(self, owner: dict[str, Any]) -> bool:
        process, start = owner.get("process"), owner.get("start")
        if not self._is_local(owner) or not isinstance(process, int):
            return self._is_fresh()
        try:
            current = process_start(process)
        except ModuleNotFoundError:  # 3D Slicer before the packages are installed
            return self._is_fresh()
        if isinstance(start, float):
            return current is not None and abs(current - start) < _SAME_START_S
        return current is not None and self._is_fresh()  # a lock of an earlier version

    def _is_local(self, owner: dict[str, Any]) -> bool:
        """Return whether the owner is a process of this machine and this container."""
        here = owner.get("host") == self._owner["host"]
        return here and owner.get("space", self._owner["space"]) == self._owner["space"]

    def _is_fresh(self) -> bool:
        """Return whether the lock was touched recently, by the clocks of both machines."""
        touched = self._modification_time()
        return touched is not None and abs(time.time() - touched) < STALE_S

    def _is_touched(self) -> bool:
        """Watch the lock of another machine, whose clock may be wrong, for a heartbeat."""
        self._log(
            f"{self._path} belongs to another machine and looks stale; watching it for "
            f"{WATCH_S:.0f} seconds before taking it over"
        )
        before, end = self._modification_time(), time.monotonic() + WATCH_S
        while time.monotonic() < end and before is not None:
            time.sleep(POLL_S)
            if self._modification_time() != before:
                return True
        return False

    def _modification_time(self) -> float | None:
        """Return the modification time, from an open file since network drives cache it."""
        try:
            with drive_errors(self._path), self._path.open("rb") as stream:
                return os.fstat(stream.fileno()).st_mtime
        except FileNotFoundError:
            return None

    def _raise_held(self, owner: dict[str, Any] | None) -> None:
        owner = owner or {}
        process, host = owner.get("process", "?"), owner.get("host", "?")
        raise GenSegError(
            f"{self._path.parent} {self._use} by process {process} on {host}; stop that first"
        )

    def _touch_until_ended(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            try:
                os.utime(self._path)  # by the clock of the file server, if there is one
            except OSError:
                continue  # the drive may be back at the next heartbeat


def process_start(process: int) -> float | None:
    """Return the start time of a process in seconds; None if it has ended.

    With the process ID it identifies a process. On Linux it counts from boot, since the system
    reports start times that move with the clock.

    Raises:
        ModuleNotFoundError: psutil is not installed.
    """
    import psutil

    try:
        found = psutil.Process(process)
        if found.status() == psutil.STATUS_ZOMBIE:
            return None
        boot = psutil.boot_time() if psutil.LINUX else 0.0
        return float(found.create_time() - boot)
    except (psutil.Error, ValueError, OverflowError):
        return None


def pid_namespace() -> str:
    """Return the namespace of process IDs, which sets a container apart from its host; or ""."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
