"""Output folders: refused where something is, and marked so that only GenSeg's own are replaced.

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from .errors import GenSegError
from .files import atomic_folder, is_empty_folder, read_json, remove, set_aside, write_json

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
        remove(set_aside(path))


def mark(folder: Path, entries: Collection[str]) -> None:
    """Note in a folder that GenSeg made it, and which entries of it GenSeg wrote.

    An entry is a path from the folder on; that of a folder stands for all that is in it.
    """
    write_json(folder / MARK, {"made_by": "genseg", "entries": sorted(entries)})


def require_own(path: Path, entries: Collection[str], patterns: Sequence[str] = ()) -> None:
    """Make sure that a folder holds nothing but `entries` and what fits `patterns`.

    Args:
        path: the folder.
        entries: paths from the folder on; that of a folder stands for all that is in it.
        patterns: of such paths (see `fnmatch`).

    Raises:
        GenSegError: it holds something else, or is no folder.
    """
    if path.is_symlink() or not path.is_dir():
        raise GenSegError(f"{path} is not a folder and is left alone; choose another folder")
    own = {*entries, MARK}
    for entry in _files_in(path):
        inner = entry.relative_to(path)
        name = inner.as_posix()
        is_own = name in own or any(folder.as_posix() in own for folder in inner.parents)
        is_own = is_own or any(fnmatchcase(name, pattern) for pattern in patterns)
        if not (is_own or any(map(_is_dropping, inner.parts))):
            raise GenSegError(
                f"{path} holds {name}, which genseg did not write; move it away first"
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
    return {str(entry) for entry in entries} if isinstance(entries, list) else set()


def _is_dropping(name: str) -> bool:
    """Tell whether a system, or a process that was killed while it wrote, left this behind."""
    return name in _OF_THE_SYSTEM or (name.startswith(".") and name.endswith(".tmp"))
