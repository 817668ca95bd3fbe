"""A lock that works between machines that share a drive, and outlives no process.

Light: the standard library alone.
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
from .files import reachable
from .processes import process_lives, process_space, process_start

BEAT_S = 10.0
STALE_S = 120.0
WATCH_S, LOOK_S = 3 * BEAT_S, 1.0


class RunLock:
    """A file that names its process and machine and is touched every `BEAT_S` seconds.

    On its own machine it counts as long as its process is there, however long that slept and
    whatever the clock says. On another one it counts while it is touched: where the clocks leave a
    doubt, whoever wants the lock watches it for `WATCH_S` seconds before taking it over.

    Args:
        path: the file.
        tell: told in words when it has to be watched.

    Raises:
        GenSegError: on entering, another process holds the lock.
    """

    def __init__(self, path: Path, tell: Callable[[str], None] | None = None) -> None:
        self._path = path
        self._tell = tell or (lambda text: None)
        self._owner = {
            "process": os.getpid(),
            "start": process_start(os.getpid()),
            "space": process_space(),
            "host": socket.gethostname(),
            "token": uuid.uuid4().hex,
        }
        self._ended = threading.Event()
        self._beat = threading.Thread(target=self._touch_until_ended, daemon=True)

    def __enter__(self) -> RunLock:
        """Take the lock."""
        if not self._create():
            self._remove_stale()
            if not self._create():
                self._refuse(self._read())
        self._beat.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lock back; where its drive is away it grows stale."""
        self._ended.set()
        self._beat.join()
        with suppress(OSError, GenSegError):
            if self._read() == self._owner:
                self._path.unlink()

    def require_held(self) -> None:
        """Make sure that nobody took the lock over, as after a sleep of this machine.

        Raises:
            GenSegError: another process did.
        """
        owner = self._read()
        if owner != self._owner:
            self._refuse(owner)

    def is_held(self) -> bool:
        """Tell whether a living process holds the lock."""
        owner = self._read()
        return owner is not None and self._lives(owner)

    def _create(self) -> bool:
        try:
            with self._path.open("x", encoding="utf-8") as stream:
                json.dump(self._owner, stream)
        except FileExistsError:
            return False
        except OSError as fault:
            raise GenSegError(f"{self._path} cannot be written: {fault.strerror}") from fault
        return True

    def _remove_stale(self) -> None:
        """Remove the lock of a process that ended, and no other that came in between."""
        stale = self._read()
        if stale is None:
            return
        if self._lives(stale) or (not self._is_here(stale) and self._is_touched()):
            self._refuse(stale)
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
            self._refuse(taken)

    def _read(self) -> dict[str, Any] | None:
        """Give the owner; {} for a lock that is being written or broken, None where none is."""
        try:
            with reachable(self._path):
                owner = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return owner if isinstance(owner, dict) else {}

    def _lives(self, owner: dict[str, Any]) -> bool:
        process, start = owner.get("process"), owner.get("start")
        if self._is_here(owner) and isinstance(process, int):
            if start is not None:
                return process_start(process) == start
            return self._is_fresh() and process_lives(process)
        return self._is_fresh()

    def _is_here(self, owner: dict[str, Any]) -> bool:
        """Tell whether the owner is, or was, a process that this one could see."""
        here = owner.get("host") == self._owner["host"]
        return here and owner.get("space", self._owner["space"]) == self._owner["space"]

    def _is_fresh(self) -> bool:
        """Tell whether the lock was touched a short time ago, by the clocks of both machines."""
        touched = self._touched()
        return touched is not None and abs(time.time() - touched) < STALE_S

    def _is_touched(self) -> bool:
        """Watch the lock of another machine, whose clock may be another: is it touched?"""
        self._tell(
            f"{self._path} is of another machine and seems old; watching it for {WATCH_S:.0f} "
            "seconds before it is taken over"
        )
        before, end = self._touched(), time.monotonic() + WATCH_S
        while time.monotonic() < end and before is not None:
            time.sleep(LOOK_S)
            if self._touched() != before:
                return True
        return False

    def _touched(self) -> float | None:
        """Give when the lock was touched; opened for it, since network drives remember times."""
        try:
            with reachable(self._path), self._path.open("rb") as stream:
                return os.fstat(stream.fileno()).st_mtime
        except FileNotFoundError:
            return None

    def _refuse(self, owner: dict[str, Any] | None) -> None:
        owner = owner or {}
        process, host = owner.get("process", "?"), owner.get("host", "?")
        raise GenSegError(
            f"{self._path.parent} is being trained by process {process} on {host}; stop that first"
        )

    def _touch_until_ended(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                os.utime(self._path)  # by the clock of the drive's server, where there is one
            except OSError:
                continue  # a drive that is away for a moment; the next beat tries again
