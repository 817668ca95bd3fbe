"""Output folders, with a marker file so that only GenSeg's own outputs are ever overwritten.

Light: the standard library only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from .errors import GenSegError
from .files import atomic_folder, is_empty_folder, read_json, remove, set_aside, write_json

MARKER = ".genseg.json"
_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")


@contextmanager
def output_folder(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Create an output folder that appears under its name only when it is complete.

    Yields:
        An empty folder. At the end of the block it becomes `path`, replacing an earlier output if
        `overwrite` is set; if the block raises, it is removed and the earlier output stays.

    Raises:
        GenSegError: see `require_free`.
    """
    path = Path(path)
    require_free(path, overwrite)
    with atomic_folder(path, permit=lambda: require_free(path, overwrite)) as folder:
        yield folder
        write_marker(folder, [entry.relative_to(folder).as_posix() for entry in _files_in(folder)])


def require_free(path: Path, overwrite: bool) -> None:
    """Check that an output can be written to `path`, before any work is done for it.

    Raises:
        GenSegError: something is there and `overwrite` is not set, or GenSeg did not write it.
    """
    if path.is_symlink():
        raise GenSegError(f"{path} is a symbolic link; specify the folder that it points to")
    if path.exists() and path.samefile(Path()):
        raise GenSegError(f"{path} is the current folder; specify a folder inside it")
    if not path.exists() or is_empty_folder(path):
        return
    if not overwrite:
        raise GenSegError(f"{path} already exists; choose another folder or add --overwrite")
    require_own(path, _marked_entries(path))


def remove_earlier(path: Path, overwrite: bool) -> None:
    """Remove an earlier output at `path` if `require_free` allows it; raises as that does."""
    require_free(path, overwrite)
    if path.exists():
        remove(set_aside(path))


def write_marker(folder: Path, entries: Collection[str]) -> None:
    """Record in a folder that GenSeg wrote these entries.

    An entry is a path relative to the folder; a folder's entry covers everything in it.
    """
    write_json(folder / MARKER, {"made_by": "genseg", "entries": sorted(entries)})


def require_own(path: Path, entries: Collection[str], patterns: Sequence[str] = ()) -> None:
    """Check that a folder contains only `entries` and what matches `patterns`.

    Args:
        path: the folder.
        entries: paths relative to the folder; a folder's entry covers everything in it.
        patterns: patterns of such paths (see `fnmatch`).

    Raises:
        GenSegError: it contains something else, or is not a folder.
    """
    if path.is_symlink() or not path.is_dir():
        raise GenSegError(f"{path} is not a folder and was not touched; choose another folder")
    own = {*entries, MARKER}
    for entry in _files_in(path):
        inner = entry.relative_to(path)
        name = inner.as_posix()
        is_own = name in own or any(folder.as_posix() in own for folder in inner.parents)
        is_own = is_own or any(fnmatchcase(name, pattern) for pattern in patterns)
        if not (is_own or any(map(_is_leftover, inner.parts))):
            raise GenSegError(
                f"{path} contains {name}, which genseg did not write; move it elsewhere first"
            )


def _files_in(folder: Path) -> Iterator[Path]:
    """Yield the files and symbolic links below a folder."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            yield from _files_in(entry)
        else:
            yield entry


def _marked_entries(path: Path) -> set[str]:
    if not (path / MARKER).is_file():
        raise GenSegError(
            f"{path} was not written by genseg and was not touched; choose another folder"
        )
    entries = read_json(path / MARKER).get("entries")
    return {str(entry) for entry in entries} if isinstance(entries, list) else set()


def _is_leftover(name: str) -> bool:
    """Return whether a file browser, or a process that was killed, left a file of this name."""
    return name in _SYSTEM_FILES or (name.startswith(".") and name.endswith(".tmp"))
