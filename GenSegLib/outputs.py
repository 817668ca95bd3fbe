"""Output folders: refused where something is, and marked so that only GenSeg's own are replaced.

Light: the standard library alone.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import GenSegError
from .files import atomic_folder, is_empty_folder, read_json, write_json

MARK = ".genseg.json"
_OF_THE_SYSTEM = (".DS_Store", "Thumbs.db", "desktop.ini")


@contextmanager
def output_folder(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Fill an output folder that appears under its name only when it is complete.

    Yields:
        An empty folder that becomes `path` at the end of the block, in place of an older output
        with `overwrite`. It vanishes when the block fails, and the older output stays.

    Raises:
        GenSegError: see `require_free`.
    """
    path = Path(path)
    require_free(path, overwrite)
    with atomic_folder(path, make_room=lambda: make_room(path, overwrite)) as folder:
        yield folder
        mark(folder, [entry.name for entry in folder.iterdir()])


def require_free(path: Path, overwrite: bool) -> None:
    """Make sure that an output can go to `path`, before any work is done for it.

    Raises:
        GenSegError: something is there that may not be replaced (no `overwrite`) or must not be
            (GenSeg did not make it, or it holds what GenSeg did not write).
    """
    if not path.exists() or is_empty_folder(path):
        return
    if not overwrite:
        raise GenSegError(f"{path} exists already; choose another folder or add --overwrite")
    require_own(path, _marked_entries(path))


def make_room(path: Path, overwrite: bool) -> None:
    """Remove an older output at `path`, where `require_free` allows it; raises as that does."""
    require_free(path, overwrite)
    if path.exists() and not is_empty_folder(path):
        discard(path, _marked_entries(path))


def mark(folder: Path, entries: Collection[str]) -> None:
    """Note in a folder that GenSeg made it, and which entries of it GenSeg wrote."""
    write_json(folder / MARK, {"made_by": "genseg", "entries": sorted(entries)})


def discard(path: Path, entries: Collection[str]) -> None:
    """Remove a folder that holds `entries`, in one stroke for a reader.

    Raises:
        GenSegError: it holds something else, or is no folder; nothing is removed.
    """
    require_own(path, entries)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    path.rename(aside)
    shutil.rmtree(aside)


def require_own(path: Path, entries: Collection[str]) -> None:
    """Make sure that a folder holds nothing but `entries`.

    Raises:
        GenSegError: it holds something else, or is no folder.
    """
    if path.is_symlink() or not path.is_dir():
        raise GenSegError(f"{path} is not a folder and is left alone; choose another folder")
    for entry in sorted(path.iterdir()):
        if not (entry.name in entries or entry.name == MARK or _is_dropping(entry.name)):
            raise GenSegError(
                f"{path} holds {entry.name}, which genseg did not write; move it away first"
            )


def _marked_entries(path: Path) -> set[str]:
    if not (path / MARK).is_file():
        raise GenSegError(f"{path} was not made by genseg and is left alone; choose another folder")
    entries = read_json(path / MARK).get("entries")
    return {str(entry) for entry in entries} if isinstance(entries, list) else set()


def _is_dropping(name: str) -> bool:
    """Tell whether a system, or a process that was killed while it wrote, left this behind."""
    return name in _OF_THE_SYSTEM or (name.startswith(".") and name.endswith(".tmp"))
