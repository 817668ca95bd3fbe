"""Small disks, for what happens when one is full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted_disk(path: Path, size: str) -> Iterator[Path]:
    """Mount an empty disk of a size such as "400k"; skips the test where none may be mounted."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a disk can only be mounted by the superuser of a Linux system")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)
