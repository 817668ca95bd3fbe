"""Public training data: the Medical Segmentation Decathlon, by way of MONAI.

Antonelli et al., "The Medical Segmentation Decathlon", Nat Commun 2022,
doi:10.1038/s41467-022-30695-9; CC-BY-SA 4.0. Addresses and MD5 sums are those of MONAI's
`DecathlonDataset`; the transfer is ours, since MONAI's starts from zero after an interruption.
"""

from __future__ import annotations

from pathlib import Path

from ..cases import CaseSet
from ..errors import GenSegError
from ..files import atomic_folder, is_empty_folder
from .archives import ArchiveError, extract
from .layouts import read_cases
from .transfers import Progress, fetch, require_md5

TASKS = {"hippocampus": "Task04_Hippocampus", "liver": "Task03_Liver"}


def download(
    anatomy: str,
    out: Path,
    *,
    source: str | None = None,
    md5: str | None = None,
    progress: Progress | None = None,
) -> CaseSet:
    """Download a task of the Decathlon and unpack it into `out`.

    While it is under way the archive is a hidden file beside `out`; after an interruption the
    next call goes on with it. `out` appears when all is there and verified.

    Args:
        anatomy: "hippocampus" (28 MB) or "liver" (29 GB).
        out: folder for dataset.json, imagesTr, labelsTr and imagesTs; not there yet, or empty.
        source: address of a mirror.
        md5: sum of the archive; MONAI's by default.
        progress: told the bytes that are there and the bytes in all.

    Raises:
        GenSegError: the anatomy is unknown, `out` is in use, the server cannot be reached, the
            transfer breaks off, the disk is full, or the archive is not what it should be.
    """
    if anatomy not in TASKS:
        raise GenSegError(f"there is no download of {anatomy!r}; choose one of {', '.join(TASKS)}")
    if out.exists() and not is_empty_folder(out):
        raise GenSegError(f"{out} exists already; choose another output or remove it")
    from monai.apps import DecathlonDataset

    task = TASKS[anatomy]
    part = out.absolute().with_name(f".{out.absolute().name}.{task}.tar.part")
    fetch(source or DecathlonDataset.resource[task], part, progress)
    require_md5(part, md5 or DecathlonDataset.md5[task])
    try:
        with atomic_folder(out) as folder:
            extract(part, folder)
            _require_task(folder, task)
            for path in sorted((folder / task).iterdir()):
                path.replace(folder / path.name)
            (folder / task).rmdir()
    except ArchiveError:
        part.unlink()
        raise
    part.unlink()
    return read_cases(out)


def _require_task(folder: Path, task: str) -> None:
    """See whether MONAI finds the cases of the task and whether their files are there."""
    from monai.apps import DecathlonDataset

    try:
        data = DecathlonDataset(folder, task, "training", val_frac=0.0, cache_num=0, progress=False)
    except (RuntimeError, ValueError, KeyError, TypeError, OSError) as fault:
        raise ArchiveError(f"the archive holds no data set {task} ({fault})") from fault
    for case in data.data:
        for path in (Path(case["image"]), Path(case["label"])):
            if not path.is_file():
                raise ArchiveError(f"the archive of {task} lacks {path.name}; download it again")
