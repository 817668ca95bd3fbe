"""What the user chooses in the *Training* section holds, whatever the training's plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from GenSegSlicerLib.AnnotationCases import AnnotationCase
from GenSegSlicerLib.AnnotationFiles import writeCheckedSteps
from GenSegSlicerLib.AnnotationTraining import CheckedCasesWriter
from GenSegSlicerLib.CaseWriter import CaseWriter
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.TrainingSettings import effort, purpose, trainSettings
from panel_driver import PanelDriver
from training_pairs import SAME, pair_of

from GenSegLib.annotation.folder import AnnotationFolder
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegLib.steps import finish

pytest_plugins = ["panel_driver"]

LEARNED = "Learned (architecture search)"


@pytest.fixture
def chosen(panel: PanelDriver) -> tuple[str, dict[str, Any]]:
    """The learned generator, which an automatic choice replaces in short training runs."""
    assert trainSettings(panel.parameters) == {}, "defaults are left to preset and plan"
    panel.choose(panel.ui.generatorSelector, LEARNED)
    return effort(panel.parameters), trainSettings(panel.parameters)


def test_a_run_says_which_settings_were_chosen(
    chosen: tuple[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logic, pairs = GenSegSlicerLogic(), [pair_of("a"), pair_of("b", 1)]
    writers: list[CaseWriter] = []
    monkeypatch.setattr(logic, "startTraining", lambda writer, *_: writers.append(writer))
    name, settings = chosen
    logic.train(pairs, "generic-mri", tmp_path, classMap=SAME, effort=name, settings=settings)
    finish(writers[0].steps(tmp_path / "run"))
    run = RunFolder.open(tmp_path / "run")
    assert run.requested == ("standard", {"generator": "searchable"})


def test_the_line_below_the_settings_says_what_the_choice_does(panel: PanelDriver) -> None:
    panel.choose(panel.ui.presetSelector, "Custom: Any structure, MRI")
    expected = {
        "Automatic": "the plan decides whether pairs are generated",
        LEARNED: "for images like the labeled ones, with generated pairs",
        "Contrasts by region": "for images of similar scanners or cameras, too: regions get",
    }
    for generator, text in expected.items():
        panel.choose(panel.ui.generatorSelector, generator)
        assert text in purpose(panel.parameters, scans=0)


@pytest.mark.parametrize(
    "preset", ["Custom: Any structure, MRI", "Custom: Any structure, 2-D images in gray"]
)
def test_no_pairs_are_promised_where_no_plan_generates_any(panel: PanelDriver, preset: str) -> None:
    panel.choose(panel.ui.presetSelector, preset)
    panel.parameters.device = "cpu"
    assert "without generated images" in purpose(panel.parameters, scans=0)


def test_generated_pairs_that_were_chosen_are_used_with_few_cases_in_the_annotation_loop(
    chosen: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    folder, preset = AnnotationFolder(tmp_path), load_preset("generic-mri")
    for seed, name in enumerate("ab"):
        pair = pair_of(name, seed)
        nodes = {"volumeNode": pair.volumeNode, "segmentationNode": pair.segmentationNode}
        case = AnnotationCase(name, name, **nodes)
        finish(writeCheckedSteps(folder, case, SAME, preset, {}))
    generators = []
    for settings in ({}, chosen[1]):
        run = tmp_path / f"run {len(settings)}"
        finish(CheckedCasesWriter(folder, preset, settings, {}, lambda: ()).steps(run))
        generators.append(RunFolder.open(run).config.generator)
    folder.unlock()
    assert generators == ["none", "searchable"]
