"""Unpacks a tar archive that a stranger made: plain files only, and none outside the folder.

Light: the standard library alone.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath

from ..errors import GenSegError


class ArchiveError(GenSegError):
    """An archive that is not what it should be; to fetch it again would give the same."""


def extract(archive: Path, folder: Path) -> None:
    """Unpack the files of a tar archive, which must not be packed further, into a folder.

    Such an archive cannot be larger inside than outside, and one that claims to be is refused.
    Owners, permissions and times are not taken over, and macOS resource forks (`._name`), which
    the Decathlon's archives are full of, are left out.

    Raises:
        ArchiveError: it is not a sound tar archive, an entry is a link, a device, or leads out
            of the folder, or there are more or larger ones than an archive of its size can hold.
            Nothing of such an archive is unpacked.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            members = [member for member in tar if not member.isdir()]
            _require_size(archive, members)
            targets = [_target(archive, member, folder) for member in members]
            for member, target in zip(members, targets):
                if not target.name.startswith("._"):
                    _write(tar, member, target)
    except (tarfile.TarError, EOFError) as fault:
        reason = str(fault).partition(":\n")[0]
        raise ArchiveError(f"{archive.name} is not a sound tar archive ({reason})") from fault


def _require_size(archive: Path, members: list[tarfile.TarInfo]) -> None:
    """Refuse sparse entries, which a few bytes make as large as one likes."""
    if sum(member.size for member in members) > archive.stat().st_size:
        raise ArchiveError(
            f"{archive.name} claims to hold more than its own size; do not use this archive"
        )


def _target(archive: Path, member: tarfile.TarInfo, folder: Path) -> Path:
    if not member.isreg():
        raise ArchiveError(
            f"{archive.name}: the entry {member.name!r} is a link or a device; do not use this "
            "archive"
        )
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in member.name or not path.parts:
        raise ArchiveError(
            f"{archive.name}: the entry {member.name!r} leads out of the folder; do not use this "
            "archive"
        )
    return folder.joinpath(*path.parts)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise tarfile.ExtractError(f"{member.name} has no content")
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("wb") as stream:
        shutil.copyfileobj(source, stream)
