"""Output folders: refused where something is, and marked so that only GenSeg's own are replaced.

Light: the standard library alone.
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from fnmatch import translate
from glob import escape
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
    with atomic_folder(path, permit=lambda: require_free(path, overwrite)) as folder:
        yield folder
        mark(folder, [entry.relative_to(folder).as_posix() for entry in _files_in(folder)])


def require_free(path: Path, overwrite: bool) -> None:
    """Make sure that an output can go to `path`, before any work is done for it.

    Raises:
        GenSegError: something is there that may not be replaced (no `overwrite`) or must not be
            (GenSeg did not make it, or it holds what GenSeg did not write).
    """
    if path.is_symlink():
        raise GenSegError(f"{path} is a link and is left alone; give the folder that it leads to")
    if path.exists() and path.samefile(Path()):
        raise GenSegError(f"{path} is the folder that you are in; name one inside it")
    if not path.exists() or is_empty_folder(path):
        return
    if not overwrite:
        raise GenSegError(f"{path} exists already; choose another folder or add --overwrite")
    require_own(path, _marked_entries(path))


def make_room(path: Path, overwrite: bool) -> None:
    """Remove an older output at `path`, where `require_free` allows it; raises as that does."""
    require_free(path, overwrite)
    if path.exists():
        aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
        path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


def mark(folder: Path, entries: Collection[str]) -> None:
    """Note in a folder that GenSeg made it, and which entries of it GenSeg wrote.

    An entry is a path from the folder on; that of a folder stands for all that is in it.
    """
    write_json(folder / MARK, {"made_by": "genseg", "entries": sorted(entries)})


def require_own(path: Path, entries: Collection[str]) -> None:
    """Make sure that a folder holds nothing but `entries`.

    Args:
        path: the folder.
        entries: patterns of paths from the folder on (see `fnmatch`); one that a folder has
            stands for all that is in it.

    Raises:
        GenSegError: it holds something else, or is no folder.
    """
    if path.is_symlink() or not path.is_dir():
        raise GenSegError(f"{path} is not a folder and is left alone; choose another folder")
    own = [re.compile(translate(entry)) for entry in (*entries, MARK)]
    for entry in _files_in(path):
        inner = entry.relative_to(path)
        names = (inner, *tuple(inner.parents)[:-1])
        is_own = any(pattern.match(name.as_posix()) for name in names for pattern in own)
        if not (is_own or any(_is_dropping(name.name) for name in names)):
            raise GenSegError(
                f"{path} holds {inner.as_posix()}, which genseg did not write; move it away first"
            )


def _files_in(folder: Path) -> Iterator[Path]:
    """Give all below a folder that is no folder, or a link."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            yield from _files_in(entry)
        else:
            yield entry


def _marked_entries(path: Path) -> set[str]:
    if not (path / MARK).is_file():
        raise GenSegError(f"{path} was not made by genseg and is left alone; choose another folder")
    entries = read_json(path / MARK).get("entries")
    return {escape(str(entry)) for entry in entries} if isinstance(entries, list) else set()


def _is_dropping(name: str) -> bool:
    """Tell whether a system, or a process that was killed while it wrote, left this behind."""
    return name in _OF_THE_SYSTEM or (name.startswith(".") and name.endswith(".tmp"))
