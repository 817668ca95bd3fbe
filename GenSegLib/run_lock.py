"""A lock that works between machines that share a drive, and outlives no process.

Light: the standard library alone.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import GenSegError

BEAT_S = 10.0
STALE_S = 120.0


class RunLock:
    """A file that names its process and machine and is touched every `BEAT_S` seconds.

    It counts no more when its process has ended (on this machine) or when it was not touched
    for `STALE_S` seconds (on another one).

    Raises:
        GenSegError: on entering, another process holds the lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owner = {
            "process": os.getpid(),
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
        with suppress(OSError):
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
        if self._lives(stale):
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
            owner = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            return {}
        return owner if isinstance(owner, dict) else {}

    def _lives(self, owner: dict[str, Any]) -> bool:
        try:
            age_s = time.time() - self._path.stat().st_mtime
        except FileNotFoundError:
            return False
        process = owner.get("process")
        if owner.get("host") == socket.gethostname() and isinstance(process, int):
            return age_s < STALE_S and process_lives(process)
        return age_s < STALE_S

    def _refuse(self, owner: dict[str, Any] | None) -> None:
        owner = owner or {}
        process, host = owner.get("process", "?"), owner.get("host", "?")
        raise GenSegError(
            f"{self._path.parent} is being trained by process {process} on {host}; stop that first"
        )

    def _touch_until_ended(self) -> None:
        while not self._ended.wait(BEAT_S):
            now = time.time()
            try:
                os.utime(self._path, (now, now))
            except OSError:
                continue  # a drive that is away for a moment; the next beat tries again


def process_lives(process: int) -> bool:
    """Tell whether a process of this machine is there."""
    if sys.platform == "win32":
        return _process_lives_on_windows(process)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _process_lives_on_windows(process: int) -> bool:
    """Ask Windows, where signal 0 would end the process."""
    import ctypes

    query_limited_information, still_active = 0x1000, 259
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(query_limited_information, False, process)
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == still_active
