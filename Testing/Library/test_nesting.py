"""Classes within others, such as a tumor in a liver."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_runs import phantom_cases, small_run
from test_seg_nrrd import write_layers, write_overlap

from GenSegLib.cases import CaseSet
from GenSegLib.checks.check_cases import check_cases
from GenSegLib.checks.classes import with_classes
from GenSegLib.cli import main
from GenSegLib.datasets.image_io import Volume, read_image, read_label, write_image, write_label
from GenSegLib.datasets.label_lists import parse_label_list
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.dicom.seg_writer import SegmentDescriptions, write_segmentation
from GenSegLib.errors import GenSegError
from GenSegLib.evaluation.metrics import case_scores
from GenSegLib.events import EventLog
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.nesting import (
    direct_includes,
    drawing_order,
    outer_values,
    parse_include,
    parse_includes,
    region_values,
)
from GenSegLib.prediction.measurements import measure
from GenSegLib.prediction.plausibility import volume_warnings
from GenSegLib.prediction.postprocessing import largest_components
from GenSegLib.training.train import train
from Testing.dicom_files import write_ct

LABELS = {1: "Liver", 2: "Tumor", 3: "Necrosis", 4: "Spleen"}
NESTED = {"Liver": ("tumor",), "Tumor": ("Necrosis",)}


def test_a_class_includes_what_is_within_those_within_it() -> None:
    assert region_values(NESTED, LABELS) == {1: (1, 2, 3), 2: (2, 3), 3: (3,), 4: (4,)}
    assert outer_values(NESTED, LABELS) == {2: 1, 3: 2}
    assert outer_values(NESTED, {1: "Liver", 3: "Necrosis"}) == {3: 1}
    names = {1: "Necrosis", 2: "Spleen", 3: "Tumor", 4: "Liver"}
    assert drawing_order(names, NESTED) == [2, 4, 3, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["Liver"], "must be of the form"),
        ({"Liver": "Tumor"}, "must be of the form"),
        ({"Liver": ["Tumor"], "Kidney": ["tumor"]}, "within both Liver and Kidney"),
        ({"A": ["B"], "B": ["A"]}, "is within itself"),
    ],
)
def test_a_nesting_that_cannot_be_is_refused(values: object, message: str) -> None:
    with pytest.raises(GenSegError, match=message):
        parse_includes(values)


def test_the_command_line_names_a_class_and_those_within_it() -> None:
    assert parse_include("Liver = Tumor, Vessel") == ("Liver", ("Tumor", "Vessel"))
    with pytest.raises(GenSegError, match="must be of the form Liver=Tumor"):
        parse_include("Tumor")


def test_a_name_that_is_no_class_is_refused() -> None:
    cases = CaseSet((), LABELS, includes={"Liver": ("Tumour",)})
    with pytest.raises(
        GenSegError, match='"includes" names Tumour, which is not one of the classes'
    ):
        with_classes(cases, None)


def test_a_class_in_no_case_is_left_out_of_the_nesting() -> None:
    learned = {1: "Liver", 3: "Necrosis"}
    cases, _ = with_classes(CaseSet((), learned, includes=NESTED), None)
    assert cases.includes == {"Liver": ("Necrosis",)}
    (note,) = cases.notes
    assert '"includes" names Tumor, which is not one of the classes' in note


@pytest.mark.parametrize("order", [("part", "whole"), ("whole", "part")])
def test_inner_segments_win_in_any_order_and_without_a_warning(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    path = write_overlap(tmp_path / "a.seg.nrrd", order)
    warnings: list[str] = []
    classes = {5: "whole", 6: "part"}
    label = read_label(path, None, classes, warnings.append, includes={"whole": ("part",)})
    assert warnings == []
    assert ((label.array == 6).sum(), (label.array == 5).sum()) == (36, 60)


def test_overlaps_that_are_not_nested_are_not_offered_as_such(tmp_path: Path) -> None:
    layers = np.zeros((2, 10, 4, 3), np.uint8)
    layers[0, 1:6], layers[1, 4:8] = 1, 1
    fields = [("ID", "s{k}"), ("Name", "segment {k}"), ("Layer", "{k}"), ("LabelValue", "1")]
    lines = [f"Segment{k}_{key}:={text.format(k=k)}" for k in (0, 1) for key, text in fields]
    path = write_layers(tmp_path / "a.seg.nrrd", layers, "\n".join(lines))
    warnings: list[str] = []
    read_label(path, warn=warnings.append)
    (line,) = warnings
    assert "segment 0 overlaps later segments: 24 of its 60 voxels" in line


def test_nnunets_regions_become_nested_classes() -> None:
    found = parse_label_list(
        {
            "background": 0,
            "whole tumor": [1, 2, 3],
            "tumor core": [2, 3],
            "enhancing": 3,
            "ignore": 4,
        }
    )
    assert found.labels == {1: "whole tumor", 2: "tumor core", 3: "enhancing"}
    assert found.includes == {"whole tumor": ("tumor core",), "tumor core": ("enhancing",)}
    assert found.values == {4: -1}
    found = parse_label_list({"background": 0, "whole": [1, 2, 3], "core": 3})
    assert (found.labels, found.values) == ({1: "whole", 3: "core"}, {2: 1})


def test_a_data_set_of_regions_is_read(tmp_path: Path) -> None:
    label = np.zeros((1, 8, 8, 8), np.int16)
    label[0, 1:6, 1:6, 1:6], label[0, 2:4, 2:4, 2:4], label[0, 3, 3, 3] = 1, 2, 3
    for case in "ab":
        image = np.random.default_rng(ord(case)).normal(size=(1, 8, 8, 8)).astype(np.float32)
        write_image(tmp_path / "imagesTr" / f"{case}_0000.nii.gz", Volume(image, np.eye(4)))
        write_label(tmp_path / "labelsTr" / f"{case}.nii.gz", Volume(label, np.eye(4)))
    dataset = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "whole": [1, 2, 3], "core": 3},
        "regions_class_order": [1, 3],
        "numTraining": 2,
        "file_ending": ".nii.gz",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(dataset), encoding="utf-8")
    cases = read_cases(tmp_path)
    checks = check_cases(cases)
    assert [check.voxels for check in checks] == [{1: 124, 3: 1}] * 2
    again = CaseSet.from_json(cases.to_json(tmp_path), tmp_path)
    assert again.includes == {"whole": ("core",)} and again.cases == cases.cases


def test_scores_and_measurements_of_a_class_include_those_within_it() -> None:
    label = np.zeros((12, 12, 12), np.int16)
    label[2:10, 2:10, 2:10], label[4:6, 4:6, 4:6] = 1, 2
    missed = np.where(label == 2, 1, label)
    regions = region_values(NESTED, LABELS)
    spacing = (1.0, 1.0, 1.0)
    liver, tumor = case_scores(missed, label, (1, 2), spacing, regions)
    assert (liver.dice, tumor.dice) == (1.0, 0.0)
    image = Volume(np.ones((1, 12, 12, 12), np.float32), np.eye(4))
    found = measure("a", image, Volume(label[None], np.eye(4)), LABELS, regions)
    assert [one.voxels for one in found] == [512, 8, 0, 0]


def test_an_organ_divided_by_its_tumor_is_one_component() -> None:
    label = np.zeros((20, 6, 6), np.int16)
    inside = label[:, 1:5, 1:5]
    inside[2:6], inside[6:9], inside[9:12], inside[16:18] = 1, 2, 1, 1
    alone = largest_components(label.copy(), [1])
    assert not alone[9:12].any()
    together = largest_components(label.copy(), [1], {1: (1, 2)})
    assert (together[2:12] == label[2:12]).all() and not together[16:].any()


def test_a_segmentation_file_shows_outer_classes_with_those_within_them(tmp_path: Path) -> None:
    label = np.zeros((1, 8, 7, 6), np.int16)
    label[0, 1:7, 1:6, 1:5], label[0, 3:5, 2:4, 2:4], label[0, 0] = 1, 2, 4
    volume, path = Volume(label, np.eye(4)), tmp_path / "a.seg.nrrd"
    names = {1: "Liver", 2: "Tumor", 4: "Spleen"}
    write_label(path, volume, names, includes=NESTED)
    stored = read_image(path, dtype=None)
    assert stored.array.shape == (2, 8, 7, 6)
    assert (stored.array[0] == 1).sum() == 6 * 5 * 4, "the liver without a hole"
    assert b"kinds: list domain domain domain" in path.read_bytes()[:2000]
    found = read_label(path, classes=names, includes=NESTED)
    assert np.array_equal(found.array, label)
    exclusive = tmp_path / "a.nii.gz"
    write_label(exclusive, volume, names, includes=NESTED)
    assert np.array_equal(read_label(exclusive).array, label)


def test_a_dicom_seg_has_outer_classes_with_those_within_them(
    tmp_path: Path, abdomen: Path
) -> None:
    series = write_ct(tmp_path / "a", abdomen / "dicom_ct3", [0, 2, 4])
    image = read_image(series)
    label = np.zeros(image.array.shape, np.int16)
    label[0, 1:6, 1:6], label[0, 2:4, 2:4], label[0, 8:10] = 1, 2, 4
    names = {1: "Liver", 2: "Tumor", 4: "Spleen"}
    segments = SegmentDescriptions(names, includes={"Liver": ("Tumor",)})
    write_segmentation(tmp_path / "a.dcm", Volume(label, image.affine), series, segments)
    warnings: list[str] = []
    liver = read_label(tmp_path / "a.dcm", image, warn=warnings.append)
    assert "100% of segment Tumor lies within Liver" in warnings[1]
    assert (liver.array == 2).sum() == 4 * image.shape[2]
    found = read_label(tmp_path / "a.dcm", image, names, includes={"Liver": ("Tumor",)})
    assert np.array_equal(found.array, label)


def test_a_training_with_nested_classes_keeps_them_in_the_model(tmp_path: Path) -> None:
    nested = replace(phantom_cases(), includes={"Posterior": ("Anterior",)})
    steps = {"warmup_steps": 0, "joint_steps": 2, "final_steps": 1, "generator": "none"}
    run = small_run(tmp_path / "run", nested, **steps)
    train(run, EventLog(None))
    metadata = ModelMetadata.load(run.model)
    assert metadata.includes == {"Posterior": ("Anterior",)}
    assert metadata.regions == {1: (1,), 2: (1, 2)}
    (low, _), (outer, _) = metadata.volumes[1], metadata.volumes[2]
    assert outer > low, "the volume of the outer class includes the inner one"
    case = nested.cases[0]
    assert case.label is not None
    assert volume_warnings(read_label(case.label), metadata) == []
    image = read_image(case.image)
    part = Volume(image.array[:, 8:24, 8:32, 8:24], image.affine)
    write_image(tmp_path / "part.nii.gz", part)
    command = ["predict", str(run.model), str(tmp_path / "part.nii.gz"), "--format", "seg.nrrd"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    found = read_image(tmp_path / "out" / "part.seg.nrrd", dtype=None)
    assert len(found.array) == 2, "the outer class and, on a layer of its own, the inner one"
    inner, outer = found.array[1] == 1, found.array[0] == 2
    assert outer[inner].all()


def test_classes_within_others_are_found_from_pairs() -> None:
    pairs = [("Body", "Liver"), ("Body", "Tumor"), ("Liver", "Tumor"), ("Body", "Spleen")]
    assert direct_includes(pairs) == {"Body": ("Liver", "Spleen"), "Liver": ("Tumor",)}
    assert direct_includes([("A", "B"), ("B", "A")]) == {}
    assert direct_includes([("Liver", "Metastasis"), ("Lung", "Metastasis")]) == {}
