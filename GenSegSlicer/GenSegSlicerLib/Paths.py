"""Questions about paths that have an answer even if the system refuses to examine them.

`Path.is_file` raises an error for a folder without permission, a name that is too long, or a drive
that is away.
"""

from __future__ import annotations

from pathlib import Path


def isFile(path: Path) -> bool:
    """Return whether there is a file at a path that can be examined."""
    try:
        return path.is_file()
    except OSError:
        return False


def isFolder(path: Path) -> bool:
    """Return whether there is a folder at a path that can be examined."""
    try:
        return path.is_dir()
    except OSError:
        return False
