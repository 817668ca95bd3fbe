"""Validation of training pairs: every problem is reported in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.TrainingPair import TrainingPair, caseNames
from mrml_nodes import (
    GRIDS,
    RIGID,
    SHAPE,
    add_ball,
    add_label_map,
    add_segment,
    add_segmentation,
    add_transform,
    add_volume,
    grid_matrix,
    modification_state,
    nodes_in,
    noise,
    oriented_image,
    two_class_labels,
)

NAMES = {1: "Anterior", 2: "Posterior"}
SAME = {name: name for name in NAMES.values()}


def pair_of(
    voxels: Any = None, grid: Any = None, label: Any = None, name: str = "patient 1"
) -> TrainingPair:
    grid = GRIDS["oblique"] if grid is None else grid
    volume = add_volume(noise() if voxels is None else voxels, grid, name)
    label = two_class_labels() if label is None else label
    return TrainingPair(volume, add_segmentation([(oriented_image(label, grid), NAMES)]))


def test_segmentation_closed_surface_and_label_map_are_ok(scene: Any) -> None:
    pair = pair_of()
    assert checkPair(pair, SAME) == "ok"
    center = GRIDS["oblique"] @ [5, 6, 7, 1]
    surface = TrainingPair(pair.volumeNode, add_ball(center[:3], 4.0))
    assert checkPair(surface, {"Ball": "Liver"}) == "ok"
    label_map = add_label_map(two_class_labels(), GRIDS["oblique"])
    assert checkPair(TrainingPair(pair.volumeNode, label_map), {"Label 1": "Liver"}) == "ok"


def test_an_empty_segmentation_may_be_of_a_healthy_patient(scene: Any) -> None:
    """Whether other pairs show the classes is checked for all pairs, see `PairSetChecks`."""
    pair = pair_of(label=np.zeros_like(two_class_labels()))
    assert checkPair(pair, SAME) == "ok"
    assert pair.isEmpty
    pair.segmentationNode.GetSegmentation().RemoveAllSegments()
    assert checkPair(pair, SAME) == "ok"


def test_segmentation_outside_the_volume_is_reported(scene: Any) -> None:
    pair = pair_of()
    far = np.eye(4)
    far[:3, 3] = 400
    add_transform(far, pair.segmentationNode)
    assert "does not overlap" in checkPair(pair, SAME)


def test_unmapped_segments_are_reported(scene: Any) -> None:
    assert "no segment is mapped" in checkPair(pair_of(), {"Anterior": ""})


def test_only_segments_that_are_mapped_count(scene: Any) -> None:
    pair = pair_of(label=(two_class_labels() == 2).astype(np.uint8) * 2)
    assert checkPair(pair, SAME) == "ok"
    assert not pair.isEmpty
    assert checkPair(pair, {"Anterior": "Anterior"}) == "ok"
    assert pair.isEmpty


def test_constant_volume_is_reported(scene: Any) -> None:
    pair = pair_of(voxels=np.full(noise().shape, 7, np.int16))
    assert checkPair(pair, SAME) == "patient 1 is empty: all voxels are 7"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinite_voxels_are_reported(scene: Any, value: float) -> None:
    voxels = noise().astype(np.float32)
    voxels[3, 4, 5] = value
    assert "patient 1 contains NaN or infinite voxels" in checkPair(pair_of(voxels=voxels), SAME)


@pytest.mark.parametrize("step", [0.0001, 900.0])
def test_implausible_spacing_is_reported(scene: Any, step: float) -> None:
    grid = grid_matrix((step, 1, 1))
    status = checkPair(pair_of(grid=grid), SAME)
    assert f"patient 1: implausible spacing {step:.4g} x 1 x 1 mm" in status


def test_a_time_series_is_reported(scene: Any) -> None:
    series = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "series")
    slicer.util.updateVolumeFromArray(series, np.zeros((4, 5, 6, 9), np.uint8))
    status = checkPair(TrainingPair(series, pair_of().segmentationNode), SAME)
    assert status == "series has 9 components per voxel (at most 8); extract fewer"


def test_sheared_volume_is_reported(scene: Any) -> None:
    assert "not orthogonal" in checkPair(pair_of(grid=grid_matrix((1, 1, 1), skew=0.3)), SAME)


def test_volume_in_two_pairs_is_reported(scene: Any) -> None:
    pair = pair_of()
    other = TrainingPair(pair.volumeNode, pair_of().segmentationNode)
    status = checkPair(pair, SAME, [pair, other])
    assert status == "patient 1 is also paired with segments; remove one of the pairs"
    other.role = "ignore"
    assert checkPair(pair, SAME, [pair, other]) == "ok"


def test_volume_paired_with_itself_is_reported(scene: Any) -> None:
    label_map = add_label_map(two_class_labels(), GRIDS["RAS"], "both")
    assert "both is paired with itself" in checkPair(TrainingPair(label_map, label_map), SAME)


def test_checking_does_not_modify_nodes(scene: Any) -> None:
    pair = pair_of()
    add_transform(RIGID, pair.volumeNode, pair.segmentationNode)
    before, nodes = modification_state(pair.volumeNode, pair.segmentationNode), nodes_in(scene)
    checkPair(pair, SAME)
    assert modification_state(pair.volumeNode, pair.segmentationNode) == before
    assert nodes_in(scene) == nodes


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("patient 1", "patient 1"),
        ("Müller: a/b\\c?", "Müller_ a_b_c_"),
        ("CON", "_CON"),
        ("...", "_"),
        ("ends with a dot.", "ends with a dot"),
        ("x" * 300, "x" * 80),
    ],
)
def test_pair_names_are_valid_file_names_on_all_platforms(
    scene: Any, name: str, expected: str
) -> None:
    assert pair_of(name=name).name == expected


def test_case_names_are_unique_on_case_insensitive_file_systems(scene: Any) -> None:
    pairs = [pair_of(name=name) for name in ("A", "a", "b", "A", "a_2")]
    assert caseNames(pairs) == ["A", "a_2", "b", "A_3", "a_2_2"]


def test_each_name_is_read_once_however_many_cases_there_are() -> None:
    reads: list[int] = []

    class Named:
        @property
        def name(self) -> str:
            reads.append(1)
            return f"case {len(reads)}"

    assert len(caseNames([Named() for _ in range(50)])) == len(reads) == 50


def test_segments_that_are_lost_in_the_voxels_of_the_volume_are_named(scene: Any) -> None:
    grid = GRIDS["RAS"]
    finer = grid @ np.diag([0.25, 0.25, 0.25, 1.0])
    voxels = np.zeros([4 * n for n in SHAPE], np.uint8)
    voxels[8:24, 8:24, 8:24] = 1
    voxels[33, 33, 33] = 2
    volume = add_volume(noise(), grid, "CT")
    node = add_segmentation([(oriented_image(voxels, finer), {1: "Liver", 2: "Cyst"})], "segments")
    pair = TrainingPair(volume, node)
    assert checkPair(pair, {"Liver": "Liver", "Cyst": "Cyst"}) == "ok"
    assert pair.lost == ["segment Cyst covers less than half of each voxel and is lost"]


def test_voxels_that_segments_lose_to_others_are_counted(scene: Any) -> None:
    pair, label = pair_of(), two_class_labels()
    whole = oriented_image((label > 0).astype(np.uint8), GRIDS["oblique"])
    add_segment(pair.segmentationNode, "Whole", whole)
    everything = {**SAME, "Whole": "Whole"}
    assert checkPair(pair, everything) == "ok"
    assert pair.lost == [
        f"segment {name} overlaps later segments: {count} of its {count} voxels become Whole, "
        "none is left; move it after them if it is a part of them"
        for name, count in (("Anterior", (label == 1).sum()), ("Posterior", (label == 2).sum()))
    ]
    assert checkPair(pair, SAME) == "ok"
    assert pair.lost == []
