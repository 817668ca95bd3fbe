"""Partly annotated cases: what the user says in the panel, up to the label that is trained on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from annotation_loops import GRID, draw, records, states
from bright_model import bright_block
from GenSegSlicerLib.CaseWriter import CaseWriter
from GenSegSlicerLib.PairChecks import checkPair
from GenSegSlicerLib.PairFinder import importFolder
from GenSegSlicerLib.PairSetChecks import checkTogether
from GenSegSlicerLib.PartialAnnotation import (
    STROKES,
    annotationOf,
    annotationText,
    setAnnotation,
    setClassState,
    setDrawnPart,
)
from GenSegSlicerLib.Segments import segmentsOf
from GenSegSlicerLib.TrainingPair import TrainingPair
from GenSegSlicerLib.VolumeContents import VolumeContents
from mrml_nodes import (
    GRIDS,
    SHAPE,
    add_volume,
    noise,
    two_class_labels,
)
from panel_driver import PanelDriver
from training_pairs import NAMES, SAME, pair_of

from GenSegLib.annotation.folder import AnnotationFolder
from GenSegLib.case_annotation import Annotation, ClassState
from GenSegLib.cases import CaseSet
from GenSegLib.config import TrainConfig
from GenSegLib.data.label_sets import LabelSets
from GenSegLib.datasets.image_io import read_label
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder

pytest_plugins = ["annotation_loops"]

ABSENT, UNKNOWN = ClassState.ABSENT, ClassState.NOT_ANNOTATED
SAID = Annotation({"Organ": UNKNOWN, "Lesion": ABSENT}, scribbles=True)
GENERIC = load_preset("generic-mri")


def written(pairs: list[TrainingPair], folder: Path, **classes: str) -> CaseSet:
    """The cases of the run folder that a training of pairs reads."""
    config = TrainConfig(validation_fraction=0)
    for _ in CaseWriter(pairs, GENERIC, config, {**SAME, **classes}).steps(folder):
        pass
    return RunFolder.open(folder).cases


def trained_label(cases: CaseSet, name: str) -> tuple[np.ndarray, LabelSets]:
    """The label (i, j, k) that is trained on, and what its values mean."""
    sets = LabelSets.of([case.annotation for case in cases.cases], cases.labels, cases.includes)
    case = next(case for case in cases.cases if case.name == name)
    label = read_label(case.label, classes=cases.labels, annotation=case.annotation)
    return sets.encode(label.array[0], case.annotation), sets


def possible_classes(cases: CaseSet, name: str, voxels: np.ndarray) -> set[str]:
    """What some voxels (i, j, k) may be, as the training understands it."""
    label, sets = trained_label(cases, name)
    names = ["background", *cases.labels.values()]
    values = set(np.unique(label[voxels]).tolist())
    assert len(values) == 1
    return {name for name, may in zip(names, sets.members[values.pop()].tolist()) if may}


def test_what_is_said_is_saved_with_the_scene(scene: Any, tmp_path: Path) -> None:
    pair = pair_of("a")
    setAnnotation(pair.segmentationNode, SAID)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    node = slicer.util.getNode("a segmentation")
    assert annotationOf(node) == SAID
    assert annotationText(SAID) == "only where drawn; Lesion absent; Organ not annotated"
    setAnnotation(node, Annotation())
    assert annotationOf(node) == Annotation()


@pytest.fixture
def panel(host: Any, scene: Any, tmp_path: Path) -> Iterator[PanelDriver]:
    """The panel on an empty scene."""
    driver = PanelDriver(host)
    driver.parameters.preset = "generic-mri"
    driver.parameters.outputFolder = str(tmp_path / "out")
    yield driver
    host.close_module("GenSegSlicer")


def choose_state(panel: PanelDriver, table: Any, name: str, state: str) -> None:
    """Choose whether a class was annotated, in a table of classes."""
    names = [table.item(row, 0).text() for row in range(table.rowCount)]
    panel.choose(table.cellWidget(names.index(name), 1), state)


def test_selected_pairs_say_it_up_to_the_label_that_is_trained_on(
    panel: PanelDriver, tmp_path: Path
) -> None:
    for index, name in enumerate("abc"):
        pair_of(name, index, (1, 2) if name == "a" else (1,))
    ui, pairs = panel.ui, panel.widget.panel.cases.pairs
    panel.press(ui.addFromSceneButton)
    assert ui.pairPartialSection.isHidden()
    panel.select_rows(ui.casesTable, [1, 2])
    assert not ui.pairPartialSection.isHidden()
    choose_state(panel, ui.pairClassesTable, "Lesion", "not annotated")
    panel.choose(ui.pairDrawnSelector, "Only some axial slices (red view)")
    panel.select_rows(ui.casesTable, [2])
    choose_state(panel, ui.pairClassesTable, "Lesion", "absent")
    assert "some axial slices; Lesion absent" in ui.pairPartialSection.text
    panel.wait_for_checks()
    pairs = panel.widget.panel.cases.usedPairs()
    assert [pair.status for pair in pairs] == ["ok"] * 3
    cases = written(pairs, tmp_path / "run")
    said = {case.name: case.annotation for case in cases.cases}
    assert said["a"] == Annotation()
    assert said["b"] == Annotation({"Lesion": UNKNOWN}, "axial")
    assert said["c"] == Annotation({"Lesion": ABSENT}, "axial")
    organ = two_class_labels().T == 1
    drawn = np.broadcast_to(organ.any(axis=(0, 1), keepdims=True), organ.shape)
    assert possible_classes(cases, "b", organ) == {"Organ"}
    assert possible_classes(cases, "b", drawn & ~organ) == {"background", "Lesion"}
    assert possible_classes(cases, "c", drawn & ~organ) == {"background"}
    assert possible_classes(cases, "c", ~drawn) == {"background", "Organ", "Lesion"}


def test_strokes_say_nothing_of_voxels_without_a_segment(scene: Any, tmp_path: Path) -> None:
    scribbled, complete = pair_of("scribbled", 0), pair_of("complete", 1)
    background = np.zeros(SHAPE, np.uint8)
    background[0] = 1
    node = scribbled.segmentationNode
    name = node.GetSegmentation().AddEmptySegment("", "Background")
    slicer.util.updateSegmentBinaryLabelmapFromArray(background, node, name, scribbled.volumeNode)
    setDrawnPart(node, STROKES)
    pairs = [scribbled, complete]
    classes = {**SAME, "Background": "Background"}
    assert [checkPair(pair, classes, pairs) for pair in pairs] == ["ok", "ok"]
    cases = written(pairs, tmp_path / "run", Background="Background")
    assert list(cases.labels.values()) == ["Organ", "Lesion"]
    labels = two_class_labels().T
    assert possible_classes(cases, "scribbled", labels == 2) == {"Lesion"}
    assert possible_classes(cases, "scribbled", background.T == 1) == {"background"}
    others = (labels == 0) & (background.T == 0)
    assert possible_classes(cases, "scribbled", others) == {"background", "Organ", "Lesion"}
    assert possible_classes(cases, "complete", labels == 0) == {"background"}


def test_the_open_case_says_it_in_the_panel(panel: PanelDriver, tmp_path: Path) -> None:
    pair_of("a")
    add_volume(noise(seed=3), GRIDS["RAS"], "b")
    ui = panel.ui
    panel.press(ui.addFromSceneButton)
    panel.wait_for_checks()
    panel.parameters.annotateWhen = "button"
    ui.annotateSection.collapsed = False
    panel.host.process_events()
    assert ui.annotatePartialSection.isHidden()
    panel.press(ui.nextCaseButton)
    case = panel.widget.panel.annotate.loop.current.case
    assert case.title == "b"
    choose_state(panel, ui.annotateClassesTable, "Lesion", "not annotated")
    panel.choose(ui.annotateDrawnSelector, "Only where I drew")
    rows = {row[0]: row[2] for row in panel.rows(ui.annotateTable)}
    assert rows["b"] == "(only where drawn; Lesion not annotated)"
    mask = np.zeros(SHAPE, np.uint8)
    mask[3:6, 3:6, 3:6] = 1
    segment = case.segmentationNode.GetSegmentation().GetSegmentIdBySegmentName("Organ")
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        mask, case.segmentationNode, segment, case.volumeNode
    )
    panel.press(ui.acceptButton)
    loop = panel.widget.panel.annotate.loop
    panel.host.wait_until(lambda: not loop.isWaiting, 60)
    for _ in loop.trainer.saver.save():
        pass  # as a training does: the pair of section 1 is a checked case, too
    listed = json.loads((tmp_path / "out" / "annotation" / "cases.json").read_text())
    (entry,) = [each for each in listed["cases"] if each["name"] == "b"]
    assert (entry["classes"], entry["scribbles"]) == ({"Lesion": "not annotated"}, True)
    cases = AnnotationFolder(tmp_path / "out").checked_cases()
    organ = mask.T == 1
    assert possible_classes(cases, "b", organ) == {"Organ"}
    assert possible_classes(cases, "b", ~organ) == {"background", "Organ", "Lesion"}


def test_a_class_that_is_absent_and_drawn_is_named(scene: Any) -> None:
    pair = pair_of("a")
    setClassState(pair.segmentationNode, "Lesion", ABSENT)
    status = checkPair(pair, SAME, [pair])
    assert status.startswith("a segmentation: Lesion is marked as absent, but ")
    assert "remove them, or mark it as annotated" in status


def test_checks_respect_what_is_said(scene: Any) -> None:
    """No complaint about volumes that are not known, or patients that are known to be healthy."""
    pairs = [pair_of(f"case {k}", k) for k in range(6)]
    few, healthy, draft = pairs[1], pair_of("healthy", 7, ()), pair_of("draft", 8)
    slices = two_class_labels()
    slices[4:] = 0
    for segment in segmentsOf(few.segmentationNode):
        mask = (slices == (1 if segment.name == "Organ" else 2)).astype(np.uint8)
        slicer.util.updateSegmentBinaryLabelmapFromArray(
            mask, few.segmentationNode, segment.key, few.volumeNode
        )
    setDrawnPart(few.segmentationNode, "axial")
    for name in NAMES.values():
        setClassState(healthy.segmentationNode, name, ABSENT)
    setClassState(draft.segmentationNode, "Lesion", UNKNOWN)
    pairs += [healthy, draft]
    for pair in pairs:
        pair.status = checkPair(pair, SAME, pairs)
    assert checkTogether(pairs, SAME, VolumeContents()) == []
    assert [pair.status for pair in pairs] == ["ok"] * len(pairs)
    assert few.warning == healthy.warning == ""
    assert "Lesion is not annotated" in draft.warning and "not used" in draft.warning


def test_drafts_are_judged_by_the_annotated_classes(new_loop: Any, wait: Any) -> None:
    bright_block("a", GRID)
    bright_block("b", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    node = loop.current.case.segmentationNode
    setClassState(node, "Bright", UNKNOWN)
    setDrawnPart(node, "axial")
    with pytest.raises(GenSegError, match="none of its classes was annotated"):
        loop.accept()
    node.GetSegmentation().AddEmptySegment("", "Cyst")
    loop.accept()
    wait(loop)
    assert records(loop)[0].dice is None
    setClassState(loop.current.case.segmentationNode, "Bright", ABSENT)
    with pytest.raises(GenSegError, match="Bright is marked as absent, but"):
        loop.accept()
    assert states(loop) == {"a": "checked", "b": "draft"}, "nothing was written"
    entry = AnnotationFolder(loop.workspace.folder.path.parent).entries()["a"]
    assert entry.annotation == Annotation({"Bright": UNKNOWN}, "axial")


def test_what_is_said_of_a_correction_in_progress_survives_the_process(
    new_loop: Any, wait: Any
) -> None:
    volume, bright = bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    bright[:4] = False
    draw(loop, bright)
    node = loop.current.case.segmentationNode
    setDrawnPart(node, STROKES)
    loop.leave()
    loop.workspace.close()
    slicer.mrmlScene.RemoveNode(node)
    again = new_loop()
    again.next()
    wait(again)
    assert again.current.case.volumeNode is volume
    assert annotationOf(again.current.case.segmentationNode) == Annotation(scribbles=True)


def test_imported_cases_keep_what_their_list_says(scene: Any, tmp_path: Path) -> None:
    pairs = [pair_of("a", 0), pair_of("b", 1)]
    ignored = np.zeros(SHAPE, np.uint8)
    ignored[:2] = 1
    node = pairs[0].segmentationNode
    name = node.GetSegmentation().AddEmptySegment("", "Ignore")
    slicer.util.updateSegmentBinaryLabelmapFromArray(ignored, node, name, pairs[0].volumeNode)
    setClassState(pairs[1].segmentationNode, "Lesion", UNKNOWN)
    for pair in pairs:
        checkPair(pair, {**SAME, "Ignore": "Ignore"}, pairs)
    written(pairs, tmp_path / "run", Ignore="Ignore")
    slicer.mrmlScene.Clear(0)
    first, second = importFolder(tmp_path / "run")
    names = [segment.name for segment in segmentsOf(first.segmentationNode)]
    assert sorted(names) == ["Ignore", "Lesion", "Organ"]
    assert annotationOf(second.segmentationNode) == Annotation({"Lesion": UNKNOWN})
