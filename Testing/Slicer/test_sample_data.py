"""The data sets that the Sample Data module offers under GenSeg."""

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
    """As much of Slicer's Sample Data module as a source of data meets."""

    sources: list[SimpleNamespace]
    fetched: list[str]
    archive: Path | None = None

    @classmethod
    def registerCustomSampleDataSource(cls, **source: Any) -> None:  # noqa: N802 - Slicer's name
        if source not in [vars(known) for known in cls.sources]:
            cls.sources.append(SimpleNamespace(**source))

    def downloadFromSource(self, source: SimpleNamespace) -> list[str]:  # noqa: N802
        self.fetched.append(source.uris)
        return [str(self.archive)] if self.archive else []


@pytest.fixture
def logic(monkeypatch: pytest.MonkeyPatch) -> type[SampleDataLogic]:
    """The Sample Data module of the application, with both sources registered."""
    module = ModuleType("SampleData")
    SampleDataLogic.sources, SampleDataLogic.fetched, SampleDataLogic.archive = [], [], None
    module.SampleDataLogic = SampleDataLogic  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "SampleData", module)
    SampleData.registerSampleData()
    return SampleDataLogic


@pytest.fixture
def cache(scene: Any, tmp_path: Path) -> Iterator[Path]:
    """An empty cache folder, whose name no program expects."""
    folder = tmp_path / "Größe 1"
    folder.mkdir()
    manager = scene.GetCacheManager()
    former = manager.GetRemoteCacheDirectory()
    manager.SetRemoteCacheDirectory(str(folder))
    yield folder
    manager.SetRemoteCacheDirectory(former)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the status bar of the application showed."""
    lines: list[str] = []
    monkeypatch.setattr(slicer.util, "showStatusMessage", lambda line, ms=0: lines.append(line))
    return lines


@pytest.fixture
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two segmented volumes and an unseen one of each set."""
    monkeypatch.setattr(SampleData, "SEGMENTED", 2)
    monkeypatch.setattr(SampleData, "UNSEEN", 1)


def source(logic: type[SampleDataLogic], name: str) -> SimpleNamespace:
    (found,) = (known for known in logic.sources if known.sampleName == name)
    return found


def names_of(scene: Any, class_name: str) -> list[str]:
    nodes = scene.GetNodesByClass(class_name)
    return sorted(nodes.GetItemAsObject(k).GetName() for k in range(nodes.GetNumberOfItems()))


def pack(hippocampus: Path, archive: Path, cases: int) -> None:
    """Make an archive like the Decathlon's of the first cases."""
    with tarfile.open(archive, "w") as tar:
        tar.add(hippocampus / "dataset.json", "Task04_Hippocampus/dataset.json")
        for folder in ("imagesTr", "labelsTr"):
            for path in sorted((hippocampus / folder).glob("*.nii.gz"))[:cases]:
                tar.add(path, f"Task04_Hippocampus/{folder}/{path.name}")
        tar.add(path, f"Task04_Hippocampus/imagesTs/unseen{path.name}")


def test_both_sets_are_offered_once_with_a_picture(logic: type[SampleDataLogic]) -> None:
    SampleData.registerSampleData()
    assert [known.sampleName for known in logic.sources] == [
        SampleData.PHANTOMS,
        SampleData.HIPPOCAMPUS,
    ]
    assert all(Path(known.thumbnailFileName).is_file() for known in logic.sources)
    assert {known.category for known in logic.sources} == {"GenSeg"}


def test_without_the_sample_data_module_nothing_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "SampleData", None)
    SampleData.registerSampleData()


def test_the_public_address_and_checksum_are_those_of_the_decathlon(
    logic: type[SampleDataLogic],
) -> None:
    decathlon = pytest.importorskip("monai.apps").DecathlonDataset
    offered = source(logic, SampleData.HIPPOCAMPUS)
    assert offered.uris == decathlon.resource["Task04_Hippocampus"]
    assert offered.checksums == f"MD5:{decathlon.md5['Task04_Hippocampus']}"


@pytest.mark.usefixtures("small_sets")
def test_phantoms_are_computed_in_another_process_and_loaded_as_pairs(
    logic: type[SampleDataLogic], scene: Any, cache: Path, host: Any, told: list[str]
) -> None:
    offered = source(logic, SampleData.PHANTOMS)
    offered.customDownloader(offered)
    offered.customDownloader(offered)
    assert told == ["Computing 3 phantoms..."]
    host.wait_until(lambda: len(told) == 2, 60)
    assert told[1].startswith("2 segmented volumes are loaded; their folder is ")
    assert len(names_of(scene, "vtkMRMLSegmentationNode")) == 2
    assert len(names_of(scene, "vtkMRMLScalarVolumeNode")) == 3
    scene.Clear(0)
    offered.customDownloader(offered)
    assert len(names_of(scene, "vtkMRMLScalarVolumeNode")) == 3


@pytest.mark.usefixtures("small_sets")
def test_the_hippocampus_set_is_fetched_once_and_the_first_of_it_loaded(
    logic: type[SampleDataLogic],
    scene: Any,
    cache: Path,
    hippocampus: Path,
    tmp_path: Path,
    told: list[str],
) -> None:
    logic.archive = tmp_path / "Task04_Hippocampus.tar"
    pack(hippocampus, logic.archive, 4)
    offered = source(logic, SampleData.HIPPOCAMPUS)
    for _ in range(2):
        scene.Clear(0)
        offered.customDownloader(offered)
        assert len(names_of(scene, "vtkMRMLSegmentationNode")) == 2
        assert len(names_of(scene, "vtkMRMLScalarVolumeNode")) == 3
    assert logic.fetched == [offered.uris]
    assert sorted(path.name for path in (cache / "GenSegHippocampus" / "labelsTr").iterdir())


def test_a_download_that_fails_is_told_in_the_status_bar(
    logic: type[SampleDataLogic], scene: Any, cache: Path, told: list[str]
) -> None:
    offered = source(logic, SampleData.HIPPOCAMPUS)
    offered.customDownloader(offered)
    assert told == ["The hippocampus set could not be downloaded; is the network reachable?"]


def test_an_archive_that_is_none_leaves_nothing_in_the_cache(
    logic: type[SampleDataLogic], scene: Any, cache: Path, tmp_path: Path, told: list[str]
) -> None:
    logic.archive = tmp_path / "Task04_Hippocampus.tar"
    logic.archive.write_bytes(b"no archive")
    offered = source(logic, SampleData.HIPPOCAMPUS)
    offered.customDownloader(offered)
    assert told[0].startswith("Task04_Hippocampus.tar is not a sound tar archive (")
    assert "\n" not in told[0]
    assert not (cache / "GenSegHippocampus").exists()


@pytest.mark.usefixtures("small_sets")
def test_a_damaged_cache_is_told_in_the_status_bar(
    logic: type[SampleDataLogic], scene: Any, cache: Path, told: list[str]
) -> None:
    (cache / "GenSegPhantoms").mkdir()
    offered = source(logic, SampleData.PHANTOMS)
    offered.customDownloader(offered)
    assert "GenSegPhantoms" in told[0]
