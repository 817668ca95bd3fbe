"""The sample data sets of GenSeg in Slicer's Sample Data module.

The phantoms are computed on this machine by `python -m GenSegLib phantom`, so that the tutorial
needs no network. The hippocampus set is Task04 of the Medical Segmentation Decathlon (Antonelli et
al., Nat Commun 2022, doi:10.1038/s41467-022-30695-9; CC-BY-SA 4.0), from its public address.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

CATEGORY = "GenSeg"
PHANTOMS = "GenSegPhantoms"
HIPPOCAMPUS = "GenSegHippocampus"
HIPPOCAMPUS_ADDRESS = "https://msd-for-monai.s3-us-west-2.amazonaws.com/Task04_Hippocampus.tar"
HIPPOCAMPUS_CHECKSUM = "MD5:9d24dba78a72977dbd1d2e110310f31b"
SEGMENTED = 10
UNSEEN = 2

_ICONS = Path(__file__).parents[1] / "Resources" / "Icons"
_running: list[Any] = []


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
        fileNames=PHANTOMS,
        loadFiles=False,
        thumbnailFileName=str(_ICONS / f"{PHANTOMS}.png"),
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


def makePhantoms(folder: Path, cases: int, unseen: int, onFinished: Any) -> Any:
    """Compute hippocampus phantoms in another process, without keeping Slicer waiting.

    Args:
        folder: to write, in the Decathlon's layout; not there yet.
        cases: segmented phantoms.
        unseen: further ones, whose segmentations lie apart.
        onFinished: called with the exit code and, after a fault, its one line.

    Returns:
        The process.
    """
    from GenSegSlicerLib.LibraryProcess import LibraryProcess

    process = LibraryProcess()
    process.onFinished = onFinished
    process.start(["phantom", str(folder), "--cases", str(cases), "--test", str(unseen)])
    return process


def loadPhantoms(source: Any = None) -> None:
    """Compute the phantoms, unless they are in the cache, and load them when they are there."""
    folder = _cacheFolder() / PHANTOMS
    if folder.is_dir():
        _load(folder)
        return

    def onFinished(code: int, message: str) -> None:
        _running.clear()
        if code:
            _tell(message)
        else:
            _load(folder)

    _tell(_("Computing {count} phantoms...").format(count=SEGMENTED + UNSEEN))
    _running.append(makePhantoms(folder, SEGMENTED, UNSEEN, onFinished))


def loadHippocampi(source: Any) -> None:
    """Download and unpack the hippocampus set, unless it is in the cache, and load some of it."""
    from SampleData import SampleDataLogic

    folder = _cacheFolder() / HIPPOCAMPUS
    if not folder.is_dir():
        archives = SampleDataLogic().downloadFromSource(source)
        if not archives:
            _tell(_("The hippocampus set could not be downloaded; is the network reachable?"))
            return
        _unpack(Path(archives[0]), folder)
    _load(folder)


def _unpack(archive: Path, folder: Path) -> None:
    from GenSegLib.archives import extract
    from GenSegLib.files import atomic_folder

    with atomic_folder(folder) as target:
        extract(archive, target)
        for path in sorted(target.glob("Task04_Hippocampus/*")):
            path.replace(target / path.name)


def _load(folder: Path) -> None:
    """Load the first segmented cases as pairs, and the first unseen images as volumes."""
    from GenSegLib.cases import CaseSet
    from GenSegLib.files import write_json
    from GenSegLib.layouts import list_images, read_cases
    from GenSegSlicerLib.PairFinder import importFolder
    from GenSegSlicerLib.VolumeFiles import loadVolume

    cases = read_cases(folder)
    some = CaseSet(cases.labelled[:SEGMENTED], cases.labels, cases.modality)
    listFile = folder / "some_cases.json"
    write_json(listFile, some.to_json(folder))
    importFolder(listFile)
    for image in list_images(folder / "imagesTs")[:UNSEEN]:
        loadVolume(image, image.name.split(".")[0])
    _tell(
        _("Loaded {count} segmented volumes from {folder}").format(count=SEGMENTED, folder=folder)
    )


def _cacheFolder() -> Path:
    return Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory())


def _tell(message: str) -> None:
    slicer.util.showStatusMessage(message, 5000)
