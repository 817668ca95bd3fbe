"""The manifest of a model folder (checksums of its files), and migrations of older formats.

Light: imports the standard library alone.
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
    dict,  # format 2 added "cuts"
    lambda values: {**values, "volumes": {}},
    lambda values: {name: value for name, value in values.items() if name != "cuts"},
    lambda values: {**values, "training": {}},
    dict,  # format 6 added entries of "training"
)
"""Entry k converts metadata of format k + 1 to format k + 2; entries are never removed."""

_CHUNK = 1 << 20


def format_version() -> int:
    """Return the current format version."""
    return 1 + len(MIGRATIONS)


def migrate(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the metadata of an older format to the current one.

    Raises:
        GenSegError: the format version is missing or newer.
    """
    found = dict(values)
    for step in MIGRATIONS[_known_format(found.pop("format_version", None)) - 1 :]:
        found = step(found)
    return found


def write_manifest(folder: Path, names: Sequence[str]) -> None:
    """Write the checksums of those of the files that exist.

    Raises:
        GenSegError: the folder cannot be written.
    """
    checksums = {name: _checksum(folder / name) for name in names if (folder / name).is_file()}
    write_json(folder / MANIFEST, {"format_version": format_version(), "sha256": checksums})


def verify(folder: Path, *names: str) -> None:
    """Verify files of a model folder by their checksums.

    This detects corruption and manual edits; it is not a signature. Malicious models are harmless
    because nothing in the folder is ever executed: the network is built by its name, and the
    weights are loaded as plain tensors.

    Raises:
        GenSegError: this is not a model folder, or a file is missing, modified or corrupted.
    """
    known = _read(folder)
    for name in names:
        path = folder / name
        if not path.is_file():
            raise GenSegError(f"{path} is missing; copy the whole model folder again")
        if known.get(name) != _checksum(path):
            raise GenSegError(
                f"{path} was modified or is corrupted; copy the whole model folder again"
            )


def _read(folder: Path) -> dict[str, str]:
    if not (folder / MANIFEST).is_file():
        raise GenSegError(_not_a_model(folder))
    manifest = read_json(folder / MANIFEST)
    _known_format(manifest.get("format_version"))
    known = manifest.get("sha256")
    if not isinstance(known, dict):
        raise GenSegError(f"{folder / MANIFEST} is corrupted; copy the whole model folder again")
    return known


def _not_a_model(folder: Path) -> str:
    if any((folder / "configs").glob("*")):
        return (
            f"{folder} is a MONAI bundle from another program; its configuration may contain code, "
            "so GenSeg loads only its own models"
        )
    return f"{folder} is not a model folder: it has no {MANIFEST}; check the path"


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as fault:
        raise GenSegError(f"{path} cannot be read: {fault.strerror}") from fault
    return digest.hexdigest()


def _known_format(version: object) -> int:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise GenSegError("the model's format version is missing; copy the model folder again")
    if version > format_version():
        raise GenSegError("the model was written by a newer GenSeg; update GenSeg to use it")
    return version
