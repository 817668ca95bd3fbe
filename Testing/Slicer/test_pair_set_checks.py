"""Checks of training pairs against each other, as the command line checks its cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from GenSegSlicerLib import VolumeContents
from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.PairSetChecks import checkTogether
from GenSegSlicerLib.Persons import assumedPersons
from GenSegSlicerLib.TrainingPair import TrainingPair
from mrml_nodes import GRIDS, noise
from training_pairs import SAME, pair_of

DUPLICATE = "b: the image is a duplicate of case a; remove one of the two"


def check(*pairs: TrainingPair) -> list[str]:
    for pair in pairs:
        pair.status = checkPair(pair, SAME, pairs)
    return checkTogether(pairs, SAME, VolumeContents.VolumeContents())


def test_a_patient_without_any_class_is_a_warning_if_others_have_one(scene: Any) -> None:
    ill, healthy = pair_of("ill", 0), pair_of("healthy", 1, ())
    assert not any("count" in line for line in check(ill, healthy))
    assert [pair.status for pair in (ill, healthy)] == ["ok", "ok"]
    assert ill.warning == ""
    assert healthy.warning == (
        "healthy: the label is empty: the case counts as one without any of the classes"
    )


def test_segmentations_that_are_all_empty_are_an_error(scene: Any) -> None:
    pairs = [pair_of(name, k, ()) for k, name in enumerate("ab")]
    check(*pairs)
    assert pairs[1].status == "b: the label is empty; segment the case or leave it out"


@pytest.fixture(params=["small", "large"])
def of_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Volumes that count as small or large; the contents of large ones are computed when needed."""
    if request.param == "large":
        monkeypatch.setattr(VolumeContents, "_SMALL_VOXELS", 10)


@pytest.mark.usefixtures("of_size")
def test_a_volume_that_is_there_twice_is_a_warning_until_one_is_ignored(scene: Any) -> None:
    pairs = pair_of("a", 0), pair_of("b", 0), pair_of("c", 1)
    slicer.util.updateVolumeFromArray(pairs[1].volumeNode, noise().astype(np.float32))
    check(*pairs)
    assert [DUPLICATE in pair.warning for pair in pairs] == [False, True, False]
    pairs[0].role = "ignore"
    check(*pairs)
    assert not any(DUPLICATE in pair.warning for pair in pairs)


@pytest.mark.usefixtures("of_size")
def test_a_duplicate_in_other_axes_is_a_warning_with_the_voxels(scene: Any) -> None:
    pairs = pair_of("a", 0), pair_of("b", 1)
    flipped = np.ascontiguousarray(noise()[:, ::-1, ::-1])
    grid = GRIDS["RAS"] @ np.diag([-1, -1, 1, 1])
    slicer.util.updateVolumeFromArray(pairs[1].volumeNode, flipped)
    pairs[1].volumeNode.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(grid))
    pairs[1].segmentationNode.GetSegmentation().RemoveAllSegments()
    check(*pairs)
    assert pairs[1].status == "ok"
    assert (
        f"b: the image has the same {flipped.size} voxels as case a, stored with other axes "
        "(LPS instead of RAS)"
    ) in pairs[1].warning


def test_a_class_in_one_pair_alone_is_a_warning(scene: Any) -> None:
    pairs = pair_of("a", 0), pair_of("b", 1, (1,)), pair_of("c", 2, (1,))
    pairs[0].role = "validate"
    assert check(*pairs) == [
        "class Lesion occurs in only 1 of 3 labeled cases (a), which is a validation case, so it "
        "cannot be learned; segment it in more cases"
    ]


def test_a_person_on_both_sides_is_a_warning_as_long_as_it_is_entered(scene: Any) -> None:
    pairs = pair_of("a", 0), pair_of("b", 1)
    pairs[1].role = "validate"
    assert check(*pairs) == []
    for pair in pairs:
        pair.person = "anna"
    (warning,) = check(*pairs)
    assert warning.startswith("anna appears in training case a and in validation case b")
    pairs[0].person = ""
    assert check(*pairs) == []


class Database:
    """The part of Slicer's DICOM database that says whom a file shows."""

    isOpen = True  # noqa: N815 - as in Slicer

    def instanceValue(self, instance: str, tag: str) -> str:  # noqa: N802 - as in Slicer
        assert tag == "0010,0020"
        return {"1.2": "X-4711", "1.3": "X-4711", "1.4": "Y-1"}.get(instance, "")


def test_volumes_of_the_dicom_browser_show_the_person_of_their_patient_id(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slicer, "dicomDatabase", Database(), raising=False)
    pairs = [pair_of(name, k) for k, name in enumerate(("p1_pre", "p1_post", "scan", "other"))]
    for pair, instances in zip(pairs, ("1.2 1.9", "1.4", "1.3")):
        pair.volumeNode.SetAttribute("DICOM.instanceUIDs", instances)
    assert assumedPersons(pairs) == ["patient 1", "", "patient 1", ""]


def test_patients_of_the_subject_hierarchy_are_persons(scene: Any) -> None:
    pairs = [pair_of(name, k) for k, name in enumerate("abcd")]
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for patient, members in {"4711": pairs[:2], "": pairs[2:]}.items():
        item = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "somebody")
        hierarchy.SetItemAttribute(item, "DICOM.PatientID", patient)
        study = hierarchy.CreateStudyItem(item, "study")
        for pair in members:
            hierarchy.SetItemParent(hierarchy.GetItemByDataNode(pair.volumeNode), study)
    assert assumedPersons(pairs) == ["patient 1", "patient 1", "patient 2", "patient 2"]
