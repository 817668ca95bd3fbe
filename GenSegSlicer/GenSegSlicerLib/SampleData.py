"""The sample data sets of GenSeg in Slicer's Sample Data module.

The phantoms are generated locally by `python -m GenSegLib phantom`, so that the tutorial works
without network access. The hippocampus data set is Task04 of the Medical Segmentation Decathlon
(Antonelli et al., Nat Commun 2022, doi:10.1038/s41467-022-30695-9; CC-BY-SA 4.0), downloaded from
its public URL.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.cases import CaseSet
from GenSegLib.datasets.layouts import list_images, read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.files import atomic_folder, write_json
from GenSegLib.images.file_names import image_stem
from GenSegSlicerLib.LibraryProcess import LibraryProcess
from GenSegSlicerLib.PairFinder import importFolder
from GenSegSlicerLib.SliceViews import showPair
from GenSegSlicerLib.VolumeFiles import loadVolume

CATEGORY = "GenSeg"
PHANTOMS = "Hippocampus phantoms"
HIPPOCAMPUS = "Hippocampus MRI (Decathlon)"
HIPPOCAMPUS_URL = "https://msd-for-monai.s3-us-west-2.amazonaws.com/Task04_Hippocampus.tar"
HIPPOCAMPUS_CHECKSUM = "MD5:9d24dba78a72977dbd1d2e110310f31b"
SEGMENTED = 10
UNSEEN = 2

_PHANTOM_FOLDER = "GenSegPhantoms"
_HIPPOCAMPUS_FOLDER = "GenSegHippocampus"
_ICONS = Path(__file__).parents[1] / "Resources" / "Icons"
_LIST_FILE = "first_cases.json"
_STATUS_MS = 8000
_computing: list[LibraryProcess] = []


def registerSampleData() -> None:
    """Register the data sets with the Sample Data module, if it exists."""
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
        uris=HIPPOCAMPUS_URL,
        fileNames=Path(HIPPOCAMPUS_URL).name,
        checksums=HIPPOCAMPUS_CHECKSUM,
        loadFiles=False,
        thumbnailFileName=str(_ICONS / "GenSegSlicer.png"),
        customDownloader=loadHippocampi,
    )


def makePhantoms(
    folder: Path, cases: int, unseen: int, onFinished: Callable[[int, str], None]
) -> LibraryProcess:
    """Generate hippocampus phantoms in another process.

    Args:
        folder: new folder, in the layout of the Medical Segmentation Decathlon.
        cases: number of segmented phantoms.
        unseen: number of additional phantoms to apply a model to.
        onFinished: called with the exit code and a one-line error message ("" if none).
    """
    process = LibraryProcess()
    process.onFinished = onFinished
    process.start(["phantom", folder, "--cases", cases, "--test", unseen])
    return process


def loadPhantoms(source: Any = None) -> None:
    """Generate the phantoms unless they are cached, and load them."""
    folder = _cacheFolder() / _PHANTOM_FOLDER
    if folder.is_dir():
        _load(folder)
    elif not any(process.isRunning for process in _computing):
        _showStatus(_("Generating {count} phantoms...").format(count=SEGMENTED + UNSEEN))

        def onFinished(code: int, message: str) -> None:
            if code:
                _showStatus(message)
            else:
                _load(folder)

        _computing[:] = [makePhantoms(folder, SEGMENTED, UNSEEN, onFinished)]


def loadHippocampi(source: Any) -> None:
    """Download the hippocampus data set unless it is cached, and load some of its cases."""
    from SampleData import SampleDataLogic

    folder = _cacheFolder() / _HIPPOCAMPUS_FOLDER
    if not folder.is_dir():
        archives = SampleDataLogic().downloadFromSource(source)
        if not archives:
            _showStatus(
                _("The hippocampus data set could not be downloaded; check the network connection")
            )
            return
        try:
            _unpack(Path(archives[0]), folder)
        except GenSegError as error:
            _showStatus(str(error))
            return
    _load(folder)


def _unpack(archive: Path, folder: Path) -> None:
    """Extract the only folder of an archive as `folder`, atomically.

    Sample Data has verified its checksum. The Decathlon's archives are full of macOS resource forks
    (`._name`), which are skipped.

    Raises:
        GenSegError: the archive is damaged.
    """
    with atomic_folder(folder) as target:
        try:
            with tarfile.open(archive) as tar:
                members = [m for m in tar if not PurePosixPath(m.name).name.startswith("._")]
                # Python 3.9 of 3D Slicer 5.8 may lack the filter
                tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
                tar.extractall(target, members)  # nosec B202 - see above
        except (tarfile.TarError, EOFError) as error:
            raise GenSegError(f"{archive.name} is damaged; download it again") from error
        (inner,) = target.iterdir()
        for path in sorted(inner.iterdir()):
            path.replace(target / path.name)
        inner.rmdir()


def _load(folder: Path) -> None:
    """Load the first segmented cases as pairs, and the first unlabeled images as volumes."""
    try:
        cases = read_cases(folder)
        selected = CaseSet(cases.labeled[:SEGMENTED], cases.labels, cases.modality)
        listFile = folder / _LIST_FILE
        write_json(listFile, selected.to_json(folder))
        for pair in importFolder(listFile)[:1]:
            showPair(pair.volumeNode, pair.segmentationNode)
        for image in list_images(folder / "imagesTs")[:UNSEEN]:
            loadVolume(image, image_stem(image))
    except GenSegError as error:
        _showStatus(str(error))
        return
    text = _("Loaded {count} segmented volumes from {folder}")
    _showStatus(text.format(count=len(selected.cases), folder=folder))


def _cacheFolder() -> Path:
    return Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory())


def _showStatus(message: str) -> None:
    slicer.util.showStatusMessage(message, _STATUS_MS)
