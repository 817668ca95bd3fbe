"""The sample data sets of GenSeg in Slicer's Sample Data module.

The phantoms are computed on this machine by `python -m GenSegLib phantom`, so that the tutorial
needs no network. The hippocampus set is Task04 of the Medical Segmentation Decathlon (Antonelli et
al., Nat Commun 2022, doi:10.1038/s41467-022-30695-9; CC-BY-SA 4.0), from its public address.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.cases import CaseSet
from GenSegLib.data.archives import extract
from GenSegLib.data.layouts import image_stem, list_images, read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.files import atomic_folder, write_json
from GenSegSlicerLib.LibraryProcess import LibraryProcess
from GenSegSlicerLib.PairFinder import importFolder
from GenSegSlicerLib.VolumeFiles import loadVolume

CATEGORY = "GenSeg"
PHANTOMS = "Hippocampus phantoms"
HIPPOCAMPUS = "Hippocampus MRI (Decathlon)"
HIPPOCAMPUS_ADDRESS = "https://msd-for-monai.s3-us-west-2.amazonaws.com/Task04_Hippocampus.tar"
HIPPOCAMPUS_CHECKSUM = "MD5:9d24dba78a72977dbd1d2e110310f31b"
SEGMENTED = 10
UNSEEN = 2

_PHANTOM_FOLDER = "GenSegPhantoms"
_HIPPOCAMPUS_FOLDER = "GenSegHippocampus"
_ICONS = Path(__file__).parents[1] / "Resources" / "Icons"
_LIST_FILE = "first_cases.json"
_TOLD_MS = 8000
_computing: list[LibraryProcess] = []


def registerSampleData() -> None:
    """Offer the data sets in the Sample Data module; does nothing where that is absent."""
    try:
        from SampleData import SampleDataLogic
    except ImportError:
        return
    SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=PHANTOMS,
        uris="genseg:phantom",
        fileNames=_PHANTOM_FOLDER,
        loadFiles=False,
        thumbnailFileName=str(_ICONS / "GenSegPhantoms.png"),
        customDownloader=loadPhantoms,
    )
    SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=HIPPOCAMPUS,
        uris=HIPPOCAMPUS_ADDRESS,
        fileNames=Path(HIPPOCAMPUS_ADDRESS).name,
        checksums=HIPPOCAMPUS_CHECKSUM,
        loadFiles=False,
        thumbnailFileName=str(_ICONS / "GenSegSlicer.png"),
        customDownloader=loadHippocampi,
    )


def makePhantoms(
    folder: Path, cases: int, unseen: int, onFinished: Callable[[int, str], None]
) -> LibraryProcess:
    """Compute hippocampus phantoms in another process, without keeping Slicer waiting.

    Args:
        folder: to write, in the Decathlon's layout; not there yet.
        cases: number of segmented phantoms.
        unseen: number of further ones, to apply a model to.
        onFinished: called with the exit code and, after a fault, its one line.

    Returns:
        The process.
    """
    process = LibraryProcess()
    process.onFinished = onFinished
    process.start(["phantom", folder, "--cases", cases, "--test", unseen])
    return process


def loadPhantoms(source: Any = None) -> None:
    """Compute the phantoms, unless they are in the cache, and load them when they are there."""
    folder = _cacheFolder() / _PHANTOM_FOLDER
    if folder.is_dir():
        _load(folder)
    elif not any(process.isRunning for process in _computing):
        _tell(_("Computing {count} phantoms...").format(count=SEGMENTED + UNSEEN))

        def onFinished(code: int, message: str) -> None:
            if code:
                _tell(message)
            else:
                _load(folder)

        _computing[:] = [makePhantoms(folder, SEGMENTED, UNSEEN, onFinished)]


def loadHippocampi(source: Any) -> None:
    """Download and unpack the hippocampus set, unless it is in the cache, and load some of it."""
    from SampleData import SampleDataLogic

    folder = _cacheFolder() / _HIPPOCAMPUS_FOLDER
    if not folder.is_dir():
        archives = SampleDataLogic().downloadFromSource(source)
        if not archives:
            _tell(_("The hippocampus set could not be downloaded; is the network reachable?"))
            return
        try:
            _unpack(Path(archives[0]), folder)
        except GenSegError as fault:
            _tell(str(fault))
            return
    _load(folder)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the archive's one folder as `folder`, wholly or not at all."""
    with atomic_folder(folder) as target:
        extract(archive, target)
        (inner,) = target.iterdir()
        for path in sorted(inner.iterdir()):
            path.replace(target / path.name)
        inner.rmdir()


def _load(folder: Path) -> None:
    """Load the first segmented cases as pairs, and the first unseen images as volumes."""
    try:
        cases = read_cases(folder)
        some = CaseSet(cases.labeled[:SEGMENTED], cases.labels, cases.modality)
        listFile = folder / _LIST_FILE
        write_json(listFile, some.to_json(folder))
        importFolder(listFile)
        for image in list_images(folder / "imagesTs")[:UNSEEN]:
            loadVolume(image, image_stem(image))
    except GenSegError as fault:
        _tell(str(fault))
        return
    told = _("{count} segmented volumes are loaded; their folder is {folder}")
    _tell(told.format(count=len(some.cases), folder=folder))


def _cacheFolder() -> Path:
    return Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory())


def _tell(message: str) -> None:
    slicer.util.showStatusMessage(message, _TOLD_MS)
