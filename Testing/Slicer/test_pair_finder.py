"""Search for pairs by reference volume, study and name; ambiguous matches are ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import slicer
from GenSegSlicerLib.PairFinder import findPairs
from GenSegSlicerLib.SegmentNodes import MODEL_ATTRIBUTE
from GenSegSlicerLib.TrainingPair import TrainingPair
from mrml_nodes import (
    GRIDS,
    add_label_map,
    add_segmentation,
    add_volume,
    oriented_image,
    two_class_labels,
)


def volume(name: str) -> Any:
    return add_volume(two_class_labels((3, 3, 3)), GRIDS["RAS"], name)


def segmentation(name: str, of: Any = None) -> Any:
    node = add_segmentation(
        [(oriented_image(two_class_labels((3, 3, 3)), GRIDS["RAS"]), {1: "A"})], name
    )
    if of is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(of)
    return node


def label_map(name: str) -> Any:
    return add_label_map(two_class_labels((3, 3, 3)), GRIDS["RAS"], name)


def put_into_study(name: str, *nodes: Any) -> None:
    scene = slicer.mrmlScene
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), f"patient of {name}")
    study = hierarchy.CreateStudyItem(patient, name)
    for node in nodes:
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), study)


def found(scene: Any, known: Any = ()) -> list[tuple[str, str]]:
    pairs = findPairs(scene, known)
    return [(pair.volumeNode.GetName(), pair.segmentationNode.GetName()) for pair in pairs]


def test_reference_volume_takes_precedence(scene: Any) -> None:
    one, other = volume("one"), volume("other")
    segmentation("one segmentation", of=other)
    segmentation("Segmentation", of=one)
    assert found(scene) == [("one", "Segmentation"), ("other", "one segmentation")]


def test_study_with_one_volume_and_one_segmentation_is_a_pair(scene: Any) -> None:
    one, segments = volume("T1 axial"), segmentation("drawn by Eva")
    put_into_study("baseline", one, segments)
    put_into_study("follow-up", volume("T1 axial"), segmentation("drawn by Adam"))
    assert found(scene) == [("T1 axial", "drawn by Eva"), ("T1 axial", "drawn by Adam")]


def test_study_with_two_volumes_is_ambiguous(scene: Any) -> None:
    put_into_study("baseline", volume("T1"), volume("T2"), segmentation("drawn by Eva"))
    assert found(scene) == []


@pytest.mark.parametrize(
    "name",
    [
        *("patient1_T1 segmentation", "Patient1 T1 Segmentation", "patient1_T1_mask.nii.gz"),
        *("patient1_seg", "patient1"),
    ],
)
def test_names_of_the_same_case_match(scene: Any, name: str) -> None:
    volume("patient1_T1")
    volume("patient11_T1")
    segmentation(name)
    assert found(scene) == [("patient1_T1", name)]


@pytest.mark.parametrize(
    ("volumes", "segmentations"),
    [
        *(("patient1_T1", name) for name in ("Segmentation", "T1 label", "patient2_seg")),
        *(("patient1_T1", name) for name in ("patient", "patient1_T2_seg")),
        ("patient1_T1,patient1_T2", "patient1_seg"),
        ("patient1", "patient1_seg,patient1 label"),
        ("patient", "patient_1"),
    ],
)
def test_other_and_ambiguous_names_do_not_match(
    scene: Any, volumes: str, segmentations: str
) -> None:
    for name in volumes.split(","):
        volume(name)
    for name in segmentations.split(","):
        segmentation(name)
    assert found(scene) == []


def test_remaining_nodes_of_a_study_are_ambiguous(scene: Any) -> None:
    # B may be a second segmentation of the CT
    first, second = volume("CT"), volume("PET")
    put_into_study("s", first, second, segmentation("A", of=first), segmentation("B"))
    assert found(scene) == [("CT", "A")]


def test_name_that_also_matches_a_paired_volume_is_ambiguous(scene: Any) -> None:
    first = volume("patient1_T1")
    volume("patient1_T2")
    segmentation("drawn", of=first)
    segmentation("patient1_seg")
    assert found(scene) == [("patient1_T1", "drawn")]


def load(node: Any, path: Path) -> Any:
    """Set the file that a node was loaded from."""
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(str(path))
    return node


def test_files_with_the_same_name_match(scene: Any, tmp_path: Path) -> None:
    for number in (1, 2):
        load(volume(f"case_{number}"), tmp_path / "images" / f"case_{number}.nii.gz")
        load(segmentation(f"case_{number}_1"), tmp_path / "labels" / f"case_{number}.seg.nrrd")
    assert found(scene) == [("case_1", "case_1_1"), ("case_2", "case_2_1")]


def test_different_studies_prevent_a_match(scene: Any) -> None:
    put_into_study("baseline", volume("T1 brain"), volume("T2 brain"))
    put_into_study("follow-up", segmentation("T1 brain segmentation"))
    assert found(scene) == []


def test_different_reference_volume_prevents_a_match(scene: Any) -> None:
    gone = volume("moving")
    gone.HideFromEditorsOn()
    volume("patient1")
    segmentation("patient1 segmentation", of=gone)
    assert found(scene) == []


def test_all_segmentations_of_a_reference_volume_are_found(scene: Any) -> None:
    # PairChecks reports the duplicate volume
    node = volume("patient1")
    segmentation("reader A", of=node)
    segmentation("reader B", of=node)
    assert found(scene) == [("patient1", "reader A"), ("patient1", "reader B")]


def test_label_map_volume_is_a_segmentation(scene: Any) -> None:
    volume("patient1_T1")
    label_map("patient1_T1-label")
    assert found(scene) == [("patient1_T1", "patient1_T1-label")]


def test_segmentation_node_takes_precedence_over_label_map(scene: Any) -> None:
    node = volume("patient1")
    label_map("patient1-label")
    segmentation("drawn", of=node)
    assert found(scene) == [("patient1", "drawn")]


def test_known_pairs_are_skipped(scene: Any) -> None:
    one, two = volume("one"), volume("two")
    known = [TrainingPair(one, segmentation("1", of=one))]
    segmentation("2", of=two)
    segmentation("one segmentation")
    assert found(scene, known) == [("two", "2")]


def test_predictions_of_a_model_are_skipped(scene: Any) -> None:
    node = volume("patient1")
    segmentation("patient1 hippo", of=node).SetAttribute(MODEL_ATTRIBUTE, "hippo")
    assert found(scene) == []


def test_hidden_nodes_and_empty_segmentations_are_skipped(scene: Any) -> None:
    hidden = volume("hidden")
    hidden.HideFromEditorsOn()
    segmentation("hidden segmentation", of=hidden)
    add_segmentation([], "empty segmentation")
    volume("empty")
    assert found(scene) == []
