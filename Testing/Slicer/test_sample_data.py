"""The data sets of GenSeg in the Sample Data module."""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import slicer
from GenSegSlicerLib import SampleData


class SampleDataLogic:
    """The part of Slicer's Sample Data logic that sources use."""

    sources: list[SimpleNamespace]
    downloads: list[str]
    archive: Path | None = None

    @classmethod
    def registerCustomSampleDataSource(cls, **source: Any) -> None:  # noqa: N802 - Slicer's name
        if source not in [vars(known) for known in cls.sources]:
            cls.sources.append(SimpleNamespace(**source))

    def downloadFromSource(self, source: SimpleNamespace) -> list[str]:  # noqa: N802
        self.downloads.append(source.uris)
        return [str(self.archive)] if self.archive else []


@pytest.fixture
def logic(monkeypatch: pytest.MonkeyPatch) -> type[SampleDataLogic]:
    """A Sample Data module in which both sources are registered."""
    module = ModuleType("SampleData")
    SampleDataLogic.sources, SampleDataLogic.downloads, SampleDataLogic.archive = [], [], None
    module.SampleDataLogic = SampleDataLogic  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "SampleData", module)
    SampleData.registerSampleData()
    return SampleDataLogic


@pytest.fixture
def cache(scene: Any, tmp_path: Path) -> Iterator[Path]:
    """An empty cache folder, with a non-ASCII name."""
    folder = tmp_path / "Größe 1"
    folder.mkdir()
    manager = scene.GetCacheManager()
    previous = manager.GetRemoteCacheDirectory()
    manager.SetRemoteCacheDirectory(str(folder))
    yield folder
    manager.SetRemoteCacheDirectory(previous)


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Messages of the status bar."""
    lines: list[str] = []
    monkeypatch.setattr(slicer.util, "showStatusMessage", lambda line, ms=0: lines.append(line))
    return lines


@pytest.fixture
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two segmented volumes and an unlabeled one of each set."""
    monkeypatch.setattr(SampleData, "SEGMENTED", 2)
    monkeypatch.setattr(SampleData, "UNSEEN", 1)


def source(logic: type[SampleDataLogic], name: str) -> SimpleNamespace:
    (found,) = (known for known in logic.sources if known.sampleName == name)
    return found


def volume_in_red_view(scene: Any) -> Any:
    composite = scene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    return scene.GetNodeByID(composite.GetBackgroundVolumeID() or "")


def names_of(scene: Any, class_name: str) -> list[str]:
    nodes = scene.GetNodesByClass(class_name)
    return sorted(nodes.GetItemAsObject(k).GetName() for k in range(nodes.GetNumberOfItems()))


def pack(hippocampus: Path, archive: Path, cases: int) -> None:
    """Create an archive of the first cases, in the Decathlon's layout."""
    with tarfile.open(archive, "w") as tar:
        tar.add(hippocampus / "dataset.json", "Task04_Hippocampus/dataset.json")
        for folder in ("imagesTr", "labelsTr"):
            for path in sorted((hippocampus / folder).glob("*.nii.gz"))[:cases]:
                tar.add(path, f"Task04_Hippocampus/{folder}/{path.name}")
                tar.add(hippocampus / "dataset.json", f"Task04_Hippocampus/{folder}/._{path.name}")
        tar.add(path, f"Task04_Hippocampus/imagesTs/unseen{path.name}")


def test_both_sets_are_registered_once_with_a_thumbnail(logic: type[SampleDataLogic]) -> None:
    SampleData.registerSampleData()
    assert [known.sampleName for known in logic.sources] == [
        SampleData.PHANTOMS,
        SampleData.HIPPOCAMPUS,
    ]
    assert all(Path(known.thumbnailFileName).is_file() for known in logic.sources)
    assert {known.category for known in logic.sources} == {"GenSeg"}


def test_without_the_sample_data_module_nothing_is_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "SampleData", None)
    SampleData.registerSampleData()


@pytest.mark.usefixtures("small_sets")
def test_phantoms_are_generated_in_another_process_and_loaded_as_pairs(
    logic: type[SampleDataLogic], scene: Any, cache: Path, host: Any, status: list[str]
) -> None:
    dataset = source(logic, SampleData.PHANTOMS)
    dataset.customDownloader(dataset)
    dataset.customDownloader(dataset)
    assert status == ["Generating 3 phantoms..."]
    host.wait_until(lambda: len(status) == 2, 60)
    assert status[1].startswith("Loaded 2 segmented volumes from ")
    assert len(names_of(scene, "vtkMRMLSegmentationNode")) == 2
    assert len(names_of(scene, "vtkMRMLScalarVolumeNode")) == 3
    assert volume_in_red_view(scene) is scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    scene.Clear(0)
    dataset.customDownloader(dataset)
    assert len(names_of(scene, "vtkMRMLScalarVolumeNode")) == 3


@pytest.mark.usefixtures("small_sets")
def test_the_hippocampus_set_is_downloaded_once_and_its_first_cases_are_loaded(
    logic: type[SampleDataLogic],
    scene: Any,
    cache: Path,
    hippocampus: Path,
    tmp_path: Path,
    status: list[str],
) -> None:
    logic.archive = tmp_path / "Task04_Hippocampus.tar"
    pack(hippocampus, logic.archive, 4)
    dataset = source(logic, SampleData.HIPPOCAMPUS)
    for _ in range(2):
        scene.Clear(0)
        dataset.customDownloader(dataset)
        assert len(names_of(scene, "vtkMRMLSegmentationNode")) == 2
        assert len(names_of(scene, "vtkMRMLScalarVolumeNode")) == 3
    assert logic.downloads == [dataset.uris]
    labels = [path.name for path in (cache / "GenSegHippocampus" / "labelsTr").iterdir()]
    assert len(labels) == 4 and not any(name.startswith("._") for name in labels)


def test_a_failed_download_is_reported_in_the_status_bar(
    logic: type[SampleDataLogic], scene: Any, cache: Path, status: list[str]
) -> None:
    dataset = source(logic, SampleData.HIPPOCAMPUS)
    dataset.customDownloader(dataset)
    assert status == [
        "The hippocampus data set could not be downloaded; check the network connection"
    ]


def test_an_invalid_archive_is_reported_and_not_cached(
    logic: type[SampleDataLogic], scene: Any, cache: Path, tmp_path: Path, status: list[str]
) -> None:
    logic.archive = tmp_path / "Task04_Hippocampus.tar"
    logic.archive.write_bytes(b"no archive")
    dataset = source(logic, SampleData.HIPPOCAMPUS)
    dataset.customDownloader(dataset)
    assert "Task04_Hippocampus.tar" in status[0]
    assert "\n" not in status[0]
    assert not (cache / "GenSegHippocampus").exists()


@pytest.mark.usefixtures("small_sets")
def test_a_corrupted_cache_is_reported_in_the_status_bar(
    logic: type[SampleDataLogic], scene: Any, cache: Path, status: list[str]
) -> None:
    (cache / "GenSegPhantoms").mkdir()
    dataset = source(logic, SampleData.PHANTOMS)
    dataset.customDownloader(dataset)
    assert "GenSegPhantoms" in status[0]
