"""Download of public training data, the Medical Segmentation Decathlon.

Antonelli et al., "The Medical Segmentation Decathlon", Nat Commun 2022,
doi:10.1038/s41467-022-30695-9; CC-BY-SA 4.0. URLs and MD5 sums are those of MONAI's
`DecathlonDataset`, whose download cannot be resumed.

Light: the standard library alone, except for `download`.
"""

from __future__ import annotations

import tarfile
from pathlib import Path, PurePosixPath

from ..cases import CaseSet
from ..errors import GenSegError
from ..files import atomic_folder, is_empty_folder
from .http_transfer import Progress, fetch, require_md5
from .layouts import read_cases

TASKS = {"hippocampus": "Task04_Hippocampus", "liver": "Task03_Liver"}


class ArchiveError(GenSegError):
    """An invalid archive, which would not be better if downloaded again."""


def download(
    anatomy: str,
    out: Path,
    *,
    source: str | None = None,
    md5: str | None = None,
    progress: Progress | None = None,
) -> CaseSet:
    """Download a task of the Decathlon and extract it to `out`.

    The archive is downloaded to a hidden file next to `out`; after an interruption the next call
    resumes it. `out` is created when all files are complete and verified.

    Args:
        anatomy: "hippocampus" (28 MB) or "liver" (29 GB).
        out: folder for dataset.json, imagesTr, labelsTr and imagesTs; missing or empty.
        source: URL of a mirror.
        md5: checksum of the archive; that in MONAI by default.
        progress: called with the downloaded and total bytes.

    Raises:
        GenSegError: the anatomy is unknown, `out` exists, the download fails, the disk is full, or
            the archive is invalid.
    """
    if anatomy not in TASKS:
        raise GenSegError(f"no download for {anatomy!r}; choose one of {', '.join(TASKS)}")
    if out.exists() and not is_empty_folder(out):
        raise GenSegError(f"{out} already exists; choose another output folder or remove it")
    from monai.apps import DecathlonDataset

    task = TASKS[anatomy]
    part = out.absolute().with_name(f".{out.absolute().name}.{task}.tar.part")
    fetch(source or DecathlonDataset.resource[task], part, progress)
    require_md5(part, md5 or DecathlonDataset.md5[task])
    try:
        with atomic_folder(out) as folder:
            extract_tar(part, folder)
            _require_task(folder, task)
            for path in sorted((folder / task).iterdir()):
                path.replace(folder / path.name)
            (folder / task).rmdir()
    except ArchiveError:
        part.unlink()
        raise
    part.unlink()
    return read_cases(out)


def extract_tar(archive: Path, folder: Path) -> None:
    """Extract an uncompressed tar archive from an untrusted source.

    macOS resource forks (`._name`), of which the Decathlon's archives are full, are skipped.

    Raises:
        ArchiveError: the archive is damaged, has an entry outside of the folder or a device, or
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
        raise ArchiveError(
            f"{archive.name}: not a valid tar archive ({reason}); download it from another source"
        ) from error


def _require_plain_files(members: list[tarfile.TarInfo]) -> None:
    for member in members:
        path = PurePosixPath(member.name.replace("\\", "/"))
        is_inside = not path.is_absolute() and ".." not in path.parts and ":" not in member.name
        if not is_inside or not (member.isreg() or member.isdir()):
            raise tarfile.TarError(f"unsafe entry {member.name!r}")


def _require_task(folder: Path, task: str) -> None:
    """Check that MONAI finds the cases of the task and that their files exist."""
    from monai.apps import DecathlonDataset

    try:
        data = DecathlonDataset(folder, task, "training", val_frac=0.0, cache_num=0, progress=False)
    except (RuntimeError, ValueError, KeyError, TypeError, OSError) as error:
        raise ArchiveError(f"the archive does not contain {task} ({error})") from error
    for case in data.data:
        for path in (Path(case["image"]), Path(case["label"])):
            if not path.is_file():
                raise ArchiveError(f"the archive of {task} lacks {path.name}; download it again")
