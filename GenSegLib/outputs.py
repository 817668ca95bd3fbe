"""Output folders, with a marker file so that only GenSeg's own outputs are ever overwritten.

Light: the standard library only.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

from .errors import GenSegError
from .files import (
    atomic_folder,
    is_empty_folder,
    read_json,
    remove,
    set_aside,
    write_json,
    writing_folder,
)

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
        write_marker(folder, _names_in(folder))


class ResultFolder:
    """An output folder that receives results one by one, each of them complete.

    It appears with its first result, which replaces an earlier output if `overwrite` is set.

    Raises:
        GenSegError: see `require_free`.
    """

    def __init__(self, path: Path, overwrite: bool = False) -> None:
        self.path = Path(path)
        self._overwrite = overwrite
        self._entries: set[str] = set()
        require_free(self.path, overwrite)

    @contextmanager
    def result(self) -> Iterator[Path]:
        """Add the files of a result.

        Yields:
            An empty folder. At the end of the block its files are moved to the output folder; if
            the block raises, they are removed.

        Raises:
            GenSegError: the disk is full, or the folder cannot be written.
        """
        if not self._entries:
            with output_folder(self.path, self._overwrite) as folder:
                yield folder
                self._entries = _names_in(folder)
            return
        with writing_folder(self.path):
            folder = Path(tempfile.mkdtemp(prefix=".result.", suffix=".tmp", dir=self.path))
            try:
                yield folder
                self._add(folder)
            finally:
                remove(folder)

    def _add(self, folder: Path) -> None:
        names = _names_in(folder)
        self._entries |= names
        write_marker(self.path, self._entries)  # first, so that an interrupted move can be undone
        for name in sorted(names):
            (self.path / name).parent.mkdir(exist_ok=True)
            (folder / name).replace(self.path / name)


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


def _names_in(folder: Path) -> set[str]:
    """Return the paths, relative to a folder, of the files below it."""
    return {entry.relative_to(folder).as_posix() for entry in _files_in(folder)}


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
