"""Nested classes: found where segments overlap, trained as regions, and loaded with overlaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from annotation_loops import records
from bright_model import MODEL
from GenSegSlicerLib.AnnotationEdits import loadEdits
from GenSegSlicerLib.AnnotationFiles import writeDraft
from GenSegSlicerLib.AnnotationLogic import AnnotationLogic
from GenSegSlicerLib.CaseWriter import CaseWriter
from GenSegSlicerLib.DraftPredictor import Draft, DraftRequest
from GenSegSlicerLib.NestedClasses import includesOf, nestedText
from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.PairFinder import importFolder
from GenSegSlicerLib.SegmentationFiles import loadSegmentation
from GenSegSlicerLib.SegmentNodes import SegmentStyle
from GenSegSlicerLib.TrainingPair import TrainingPair
from mrml_nodes import (
    GRIDS,
    add_segmentation,
    add_volume,
    local_grid,
    noise,
    oriented_image,
    segment_array,
    write_segments,
)

from GenSegLib.config import TrainConfig
from GenSegLib.datasets.image_io import read_label
from GenSegLib.models.folder import METADATA, ModelMetadata
from GenSegLib.models.manifest import write_manifest
from GenSegLib.presets import load_preset

pytest_plugins = ["annotation_loops"]

GRID = GRIDS["RAS"]
SIZES = {"Liver": 6**3, "Tumor": 8}
NAMES = {"Tumor": "Tumor", "Liver": "Liver", "Spleen": "Spleen"}


def liver_with_tumor() -> TrainingPair:
    """A volume with a tumor that is drawn within the liver, and a spleen beside it."""
    volume = add_volume(noise(), GRID, "patient")
    liver, tumor, spleen = (np.zeros(noise().shape, np.uint8) for _ in range(3))
    liver[2:8, 2:8, 2:8] = 1
    tumor[3:5, 3:5, 3:5] = 1
    spleen[2:4, 9:11, 2:4] = 1
    layers = [(oriented_image(m, GRID), {1: n}) for m, n in zip((tumor, liver, spleen), NAMES)]
    return TrainingPair(volume, add_segmentation(layers))


def test_a_class_within_another_is_found_and_offered(scene: Any) -> None:
    pair = liver_with_tumor()
    checkPair(pair, NAMES)
    assert pair.nested == [("Liver", "Tumor")]
    assert nestedText(includesOf([pair])) == "Nested classes: Tumor within Liver"


def test_inner_classes_lie_above_outer_ones_whatever_their_order(
    scene: Any, tmp_path: Path
) -> None:
    pair, labels = liver_with_tumor(), {1: "Liver", 2: "Tumor", 3: "Spleen"}
    nodes, path = (pair.segmentationNode, pair.volumeNode), tmp_path / "label.nrrd"
    write_segments(*nodes, NAMES, labels, path)
    assert (read_label(path).array == 2).sum() == 0, "the liver is drawn last"
    write_segments(*nodes, NAMES, labels, path, includes={"Liver": ("Tumor",)})
    assert (read_label(path).array == 2).sum() == 8
    assert (read_label(path).array == 1).sum() == 6**3 - 8


@pytest.fixture
def nested() -> ModelMetadata:
    """The metadata of a model of livers and the tumors within, whose segments come first."""
    metadata, labels = ModelMetadata.load(MODEL), {1: "Tumor", 2: "Liver"}
    preset = replace(metadata.preset, labels=labels)
    includes = {"Liver": ("Tumor",)}
    return replace(metadata, labels=labels, preset=preset, volumes={}, includes=includes)


def sizes(node: Any, volume: Any) -> dict[str, int]:
    """Numbers of voxels of liver and tumor."""
    return {name: segment_array(node, name, volume).sum() for name in ("Liver", "Tumor")}


def write(pair: TrainingPair, metadata: ModelMetadata, path: Path) -> None:
    """Write what a model would predict for a pair."""
    nodes, classes = (pair.segmentationNode, pair.volumeNode), {**NAMES, "Spleen": ""}
    write_segments(*nodes, classes, metadata.labels, path, includes=metadata.includes)


def test_predictions_of_nested_classes_overlap(
    scene: Any, tmp_path: Path, nested: ModelMetadata
) -> None:
    pair, path = liver_with_tumor(), tmp_path / "label.nrrd"
    write(pair, nested, path)
    node = loadSegmentation(path, nested, pair.volumeNode)
    assert sizes(node, pair.volumeNode) == SIZES


@pytest.fixture
def drafted(
    scene: Any, tmp_path: Path, nested: ModelMetadata, new_loop: Callable[..., AnnotationLogic]
) -> AnnotationLogic:
    """An annotation loop with the draft of a nested model open."""
    pair, path, model = liver_with_tumor(), tmp_path / "label.nrrd", tmp_path / "model"
    write(pair, nested, path)
    slicer.mrmlScene.RemoveNode(pair.segmentationNode)
    nested.save(model)
    write_manifest(model, [METADATA])
    loop = new_loop(model=str(model))
    (case,) = loop.workspace.cases()
    request = DraftRequest(case.name, model, nested, "cpu", lambda: None)
    label = read_label(path).array[0].T
    writeDraft(loop.workspace.folder, Draft(request, label, local_grid(pair.volumeNode), ""))
    loop.next()
    return loop


def test_drafts_of_nested_classes_overlap_and_are_accepted_as_they_are(
    drafted: AnnotationLogic,
) -> None:
    case = drafted.current.case
    assert sizes(case.segmentationNode, case.volumeNode) == SIZES
    drafted.accept()
    assert records(drafted)[0].classes == {"Liver": 1.0, "Tumor": 1.0}
    cases = drafted.workspace.folder.checked_cases()
    label = read_label(cases.cases[0].label)
    (tumor,) = (value for value, name in cases.labels.items() if name == "Tumor")
    assert (label.array == tumor).sum() == SIZES["Tumor"]
    assert (label.array > 0).sum() == SIZES["Liver"]


def test_corrections_of_nested_classes_survive_with_their_overlaps(
    drafted: AnnotationLogic, nested: ModelMetadata
) -> None:
    case = drafted.current.case
    node, volume = case.segmentationNode, case.volumeNode
    tumor = segment_array(node, "Tumor", volume)
    tumor[5, 5, 5] = True
    segment = node.GetSegmentation().GetSegmentIdBySegmentName("Tumor")
    slicer.util.updateSegmentBinaryLabelmapFromArray(tumor.astype(np.uint8), node, segment, volume)
    drafted.save()
    restored = loadEdits(drafted.workspace.folder, case, SegmentStyle.ofModel(nested))
    assert sizes(restored, volume) == {**SIZES, "Tumor": SIZES["Tumor"] + 1}


def test_nested_classes_of_a_list_are_loaded_with_overlaps(scene: Any, tmp_path: Path) -> None:
    pair, includes = liver_with_tumor(), {"Liver": ("Tumor",)}
    checkPair(pair, NAMES)
    config, preset = TrainConfig(validation_fraction=0), load_preset("generic-mri")
    for _ in CaseWriter([pair], preset, config, NAMES, includes).steps(tmp_path / "run"):
        pass
    slicer.mrmlScene.Clear(0)
    (loaded,) = importFolder(tmp_path / "run")
    checkPair(loaded, NAMES)
    assert includesOf([loaded]) == includes
