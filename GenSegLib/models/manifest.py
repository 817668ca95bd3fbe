"""What is in a model folder, and since which format: checksums of its files, and how old ones load.

Light: the standard library alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import GenSegError
from ..files import read_json, write_json

MANIFEST = "manifest.json"
MIGRATIONS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (
    lambda values: {**values, "cuts": []},
    lambda values: {**values, "volumes": {}},
)
"""Entry k turns the metadata of format k + 1 into those of format k + 2; none is ever removed."""

_CHUNK = 1 << 20


def format_version() -> int:
    """Give the format that is written: one more than there are migrations."""
    return 1 + len(MIGRATIONS)


def migrate(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Bring the metadata of an older format up to date.

    Raises:
        GenSegError: they tell no format, or a newer one.
    """
    found = dict(values)
    for step in MIGRATIONS[_known_format(found.pop("format_version", None), folder) - 1 :]:
        found = step(found)
    return found


def seal(folder: Path, names: Sequence[str]) -> None:
    """Write the manifest: the checksum of each of these files that is there.

    Raises:
        GenSegError: the folder cannot be written.
    """
    checksums = {name: _checksum(folder / name) for name in names if (folder / name).is_file()}
    write_json(folder / MANIFEST, {"format_version": format_version(), "sha256": checksums})


def verify(folder: Path, *names: str) -> None:
    """Hold files of a model folder to its manifest.

    This finds damage and careless edits; it is no signature. What protects from a malicious model
    is that nothing in the folder is ever run: the network is built by its name, and the weights
    are read as plain tensors.

    Raises:
        GenSegError: the folder is none, or one of the files is missing, changed or damaged.
    """
    known = _read(folder)
    for name in names:
        path = folder / name
        if not path.is_file():
            raise GenSegError(f"{path} is missing; copy the whole model folder again")
        if known.get(name) != _checksum(path):
            raise GenSegError(f"{path} was changed or damaged; copy the whole model folder again")


def _read(folder: Path) -> dict[str, str]:
    if not (folder / MANIFEST).is_file():
        raise GenSegError(_no_model(folder))
    manifest = read_json(folder / MANIFEST)
    _known_format(manifest.get("format_version"), folder)
    known = manifest.get("sha256")
    if not isinstance(known, dict):
        raise GenSegError(f"{folder / MANIFEST} is damaged; copy the whole model folder again")
    return known


def _no_model(folder: Path) -> str:
    if any((folder / "configs").glob("*")):
        return (
            f"{folder} is a MONAI bundle of another program: its configuration can hold code that "
            "runs when it is read, so GenSeg uses none but its own models"
        )
    return f"{folder} is no model folder: it has no {MANIFEST}; check the path"


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as fault:
        raise GenSegError(f"{path} cannot be read: {fault.strerror}") from fault
    return digest.hexdigest()


def _known_format(version: object, folder: Path) -> int:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise GenSegError(f"{folder} does not tell its format's version; copy the folder again")
    if version > format_version():
        raise GenSegError(f"{folder} was written by a newer GenSeg; update GenSeg to use it")
    return version
