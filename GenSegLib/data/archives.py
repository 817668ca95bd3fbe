"""Extraction of tar archives from the internet.

Light: the standard library alone.
"""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from ..errors import GenSegError


def extract_tar(archive: Path, folder: Path) -> None:
    """Extract an uncompressed tar archive from an untrusted source.

    macOS resource forks (`._name`), of which the Medical Segmentation Decathlon's archives are
    full, are skipped.

    Raises:
        GenSegError: the archive is damaged, has an entry outside of the folder or a device, or
            declares more data than it holds. Part of it may have been extracted.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            members = [m for m in tar if not PurePosixPath(m.name).name.startswith("._")]
            if sum(member.size for member in members) > archive.stat().st_size:  # sparse entries
                raise tarfile.TarError("more content than the archive's size")
            if hasattr(tarfile, "data_filter"):
                tar.extractall(folder, members, filter="data")
            else:  # Python before 3.9.17, in 3D Slicer 5.8
                _require_plain_files(members)
                tar.extractall(folder, members)  # nosec B202 - checked above
    except (tarfile.TarError, EOFError) as error:
        reason = str(error).partition(":\n")[0]
        raise GenSegError(
            f"{archive.name}: not a valid tar archive ({reason}); download it from another source"
        ) from error


def _require_plain_files(members: list[tarfile.TarInfo]) -> None:
    for member in members:
        path = PurePosixPath(member.name.replace("\\", "/"))
        is_inside = not path.is_absolute() and ".." not in path.parts and ":" not in member.name
        if not is_inside or not (member.isreg() or member.isdir()):
            raise tarfile.TarError(f"unsafe entry {member.name!r}")
