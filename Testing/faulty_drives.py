"""Simulated drives that fail, hang, exceed a quota or are case-insensitive."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "Faults" / "drive_process.py"


class FaultyDrive:
    """A mounted drive; `set_mode` simulates a failure."""

    def __init__(self, path: Path, control: Path) -> None:
        self.path, self._control = path, control

    def set_mode(self, mode: str) -> None:
        """Set the mode: "ok", "hang", or an error such as "EIO" (see `drive_process`)."""
        new = self._control.with_suffix(".new")
        new.write_text(mode, encoding="ascii")
        new.replace(self._control)


@contextmanager
def faulty_drive(folder: Path, *, fold: bool = False) -> Iterator[FaultyDrive]:
    """Mount a drive in a folder; skips the test if that is not possible."""
    if not Path("/dev/fuse").exists() or importlib.util.find_spec("mfusepy") is None:
        pytest.skip("simulated drives need /dev/fuse, libfuse and the package mfusepy")
    backing, mount = folder / "backing", folder / "drive"
    for path in (backing, mount):
        path.mkdir(parents=True)
    drive = FaultyDrive(mount, folder / "control")
    drive.set_mode("ok")
    (backing / "is-mounted").touch()
    command = [sys.executable, str(PROGRAM), str(backing), str(mount), str(folder / "control")]
    process = subprocess.Popen([*command, *["fold"][: int(fold)]], stderr=subprocess.PIPE)
    try:
        while not (mount / "is-mounted").exists():
            if process.poll() is not None:
                pytest.skip(f"the drive cannot be mounted: {process.communicate()[1]!r}")
        (mount / "is-mounted").unlink()
        yield drive
    finally:
        drive.set_mode("ok")
        process.terminate()
        process.communicate()
        subprocess.run(["umount", "-l", str(mount)], check=False, capture_output=True)
