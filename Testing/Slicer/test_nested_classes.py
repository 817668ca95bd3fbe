"""Nested classes: found where segments overlap, trained as regions, and loaded with overlaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from bright_model import MODEL
from GenSegSlicerLib.CaseWriter import CaseWriter
from GenSegSlicerLib.NestedClasses import includesOf, nestedText
from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.PairFinder import importFolder
from GenSegSlicerLib.SegmentationFiles import loadSegmentation, writeLabel
from GenSegSlicerLib.TrainingPair import TrainingPair
from mrml_nodes import GRIDS, add_segmentation, add_volume, noise, oriented_image

from GenSegLib.config import TrainConfig
from GenSegLib.data.image_io import read_label
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.presets import load_preset

GRID = GRIDS["RAS"]
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
    writeLabel(*nodes, NAMES, labels, path)
    assert (read_label(path).array == 2).sum() == 0, "the liver is drawn last"
    writeLabel(*nodes, NAMES, labels, path, includes={"Liver": ("Tumor",)})
    assert (read_label(path).array == 2).sum() == 8
    assert (read_label(path).array == 1).sum() == 6**3 - 8


def test_predictions_of_nested_classes_overlap(scene: Any, tmp_path: Path) -> None:
    pair, labels = liver_with_tumor(), {1: "Liver", 2: "Tumor"}
    path = tmp_path / "label.nrrd"
    includes = {"Liver": ("Tumor",)}
    classes = {**NAMES, "Spleen": ""}
    writeLabel(pair.segmentationNode, pair.volumeNode, classes, labels, path, includes=includes)
    metadata = ModelMetadata.load(MODEL)
    preset = replace(metadata.preset, labels=labels)
    metadata = replace(metadata, labels=labels, preset=preset, volumes={}, includes=includes)
    node = loadSegmentation(path, metadata, pair.volumeNode)
    sizes = {
        name: slicer.util.arrayFromSegmentBinaryLabelmap(
            node, node.GetSegmentation().GetSegmentIdBySegmentName(name), pair.volumeNode
        ).sum()
        for name in ("Liver", "Tumor")
    }
    assert sizes == {"Liver": 6**3, "Tumor": 8}


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
