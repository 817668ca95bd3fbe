"""Pairs are found by reference volume, study and name; a doubtful match makes none."""

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
    node = add_segmentation([(oriented_image(two_class_labels((3, 3, 3)), GRIDS["RAS"]), {1: "A"})], name)
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


def test_empty_scene_has_no_pairs(scene: Any) -> None:
    assert found(scene) == []


def test_reference_volume_decides(scene: Any) -> None:
    one, other = volume("one"), volume("other")
    segmentation("one segmentation", of=other)
    segmentation("Segmentation", of=one)

    assert found(scene) == [("one", "Segmentation"), ("other", "one segmentation")]


def test_found_pairs_are_to_learn_from_and_unchecked(scene: Any) -> None:
    node = volume("one")
    segments = segmentation("mine", of=node)

    assert findPairs(scene) == [TrainingPair(node, segments, "train", "")]


def test_study_with_one_volume_and_one_segmentation_is_a_pair(scene: Any) -> None:
    one, segments = volume("T1 axial"), segmentation("drawn by Eva")
    put_into_study("baseline", one, segments)
    put_into_study("follow-up", volume("T1 axial"), segmentation("drawn by Adam"))

    assert found(scene) == [("T1 axial", "drawn by Eva"), ("T1 axial", "drawn by Adam")]


def test_study_with_two_volumes_is_doubtful(scene: Any) -> None:
    put_into_study("baseline", volume("T1"), volume("T2"), segmentation("drawn by Eva"))

    assert found(scene) == []


def test_what_is_left_over_in_a_study_is_doubtful(scene: Any) -> None:
    """The second segmentation may be another reading of the first volume."""
    first, second = volume("CT"), volume("PET")
    put_into_study("s", first, second, segmentation("A", of=first), segmentation("B"))

    assert found(scene) == [("CT", "A")]


@pytest.mark.parametrize(
    "name",
    [
        "patient1_T1 segmentation",
        "patient1_T1-label",
        "patient1_T1_seg",
        "Patient1 T1 Segmentation",
        "patient1_T1_mask.nii.gz",
        "patient1_seg",
        "patient1",
        "patient1 labelmap",
    ],
)
def test_similar_names_are_a_pair(scene: Any, name: str) -> None:
    volume("patient1_T1")
    volume("patient11_T1")
    segmentation(name)

    assert found(scene) == [("patient1_T1", name)]


def test_channel_number_of_nnunet_is_no_difference(scene: Any) -> None:
    volume("liver_007_0000")
    segmentation("liver_007")

    assert found(scene) == [("liver_007_0000", "liver_007")]


@pytest.mark.parametrize(
    "name", ["Segmentation", "T1 label", "patient2_seg", "patient", "patient1_T2_seg"]
)
def test_other_names_are_no_pair(scene: Any, name: str) -> None:
    volume("patient1_T1")
    segmentation(name)

    assert found(scene) == []


def test_longer_agreement_goes_first(scene: Any) -> None:
    volume("patient1_T1")
    volume("patient1_T2")
    segmentation("patient1_T2 segmentation")

    assert found(scene) == [("patient1_T2", "patient1_T2 segmentation")]


def test_name_that_fits_two_volumes_is_doubtful(scene: Any) -> None:
    volume("patient1_T1")
    volume("patient1_T2")
    segmentation("patient1_seg")

    assert found(scene) == []


def test_name_that_fits_what_others_left_over_is_doubtful(scene: Any) -> None:
    first = volume("patient1_T1")
    volume("patient1_T2")
    segmentation("drawn", of=first)
    segmentation("patient1_seg")

    assert found(scene) == [("patient1_T1", "drawn")]


def test_two_segmentations_of_one_name_are_doubtful(scene: Any) -> None:
    volume("patient1")
    segmentation("patient1_seg")
    segmentation("patient1 label")

    assert found(scene) == []


def load(node: Any, path: Path) -> Any:
    """Let a node have come from a file, as Slicer notes it."""
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(str(path))
    return node


def test_files_of_one_name_are_a_pair_whatever_slicer_called_the_second_node(
    scene: Any, tmp_path: Path
) -> None:
    for number in (1, 2):
        load(volume(f"case_{number}"), tmp_path / "images" / f"case_{number}.nii.gz")
        load(segmentation(f"case_{number}_1"), tmp_path / "labels" / f"case_{number}.seg.nrrd")

    assert found(scene) == [("case_1", "case_1_1"), ("case_2", "case_2_1")]


def test_number_behind_a_name_alone_says_nothing(scene: Any) -> None:
    volume("patient")
    segmentation("patient_1")

    assert found(scene) == []


def test_study_speaks_against_a_name(scene: Any) -> None:
    put_into_study("baseline", volume("T1 brain"), volume("T2 brain"))
    put_into_study("follow-up", segmentation("T1 brain segmentation"))

    assert found(scene) == []


def test_reference_volume_speaks_against_a_name(scene: Any) -> None:
    gone = volume("moving")
    gone.HideFromEditorsOn()
    volume("patient1")
    segmentation("patient1 segmentation", of=gone)

    assert found(scene) == []


def test_two_segmentations_that_refer_to_one_volume_are_both_shown(scene: Any) -> None:
    """The check of pairs tells the user that the volume is there twice."""
    node = volume("patient1")
    segmentation("reader A", of=node)
    segmentation("reader B", of=node)

    assert found(scene) == [("patient1", "reader A"), ("patient1", "reader B")]


def test_label_map_volume_is_a_segmentation(scene: Any) -> None:
    volume("patient1_T1")
    label_map("patient1_T1-label")

    assert found(scene) == [("patient1_T1", "patient1_T1-label")]


def test_label_map_volume_is_left_where_the_volume_has_a_segmentation(scene: Any) -> None:
    node = volume("patient1")
    label_map("patient1-label")
    segmentation("drawn", of=node)

    assert found(scene) == [("patient1", "drawn")]


def test_segmentation_made_from_a_label_map_is_found_by_name(scene: Any) -> None:
    volume("patient1")
    label = label_map("patient1-label")
    segmentation("patient1-label", of=label)

    pairs = findPairs(scene)

    assert [pair.segmentationNode.GetClassName() for pair in pairs] == ["vtkMRMLSegmentationNode"]


def test_known_pairs_are_not_found_again(scene: Any) -> None:
    one, two = volume("one"), volume("two")
    known = [TrainingPair(one, segmentation("1", of=one))]
    segmentation("2", of=two)
    segmentation("one segmentation")

    assert found(scene, known) == [("two", "2")]


def test_what_a_model_segmented_is_no_reference(scene: Any) -> None:
    node = volume("patient1")
    segmentation("patient1 hippo", of=node).SetAttribute(MODEL_ATTRIBUTE, "hippo")

    assert found(scene) == []


def test_hidden_nodes_color_volumes_and_empty_segmentations_are_left_out(scene: Any) -> None:
    hidden = volume("hidden")
    hidden.HideFromEditorsOn()
    segmentation("hidden segmentation", of=hidden)
    photo = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photo")
    segmentation("photo segmentation", of=photo)
    add_segmentation([], "empty segmentation")
    volume("empty")

    assert found(scene) == []


def test_looking_changes_nothing(scene: Any) -> None:
    volume("patient1_T1")
    segmentation("patient1_seg")
    before = scene.GetMTime(), scene.GetNumberOfNodes()

    findPairs(scene)

    assert (scene.GetMTime(), scene.GetNumberOfNodes()) == before
