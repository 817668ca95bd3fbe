"""The longest time that the panel blocks Slicer's event loop while jobs run.

    python Testing/Benchmarks/panel_turns.py [--data DIR] [--rounds 3]
    Slicer --testing --additional-module-paths GenSegSlicer --python-script <this file> [options]

Everything is done in the panel, in the desktop host or in Slicer: its .ui file is loaded, which
takes the host longer than Slicer, whose loader and widgets are not written in Python; the panel is
opened for the first time (the module itself is imported when Slicer starts), ten pairs of real
hippocampus volumes are added, a small model is trained, its previews are reviewed, and it is
applied and evaluated, with jobs in their own processes. At last, two scans of 512 x 512 x 300
voxels are checked and written, one with a segmentation of half the voxel size, and another one is
segmented, saved and accepted in the annotation loop. Time that the main thread waits for a CPU does
not count, nor do Python's full garbage collections, which have a figure of their own.
Writes results/panel_turns.json. No iteration should take more than 0.1 s, except for loading data.
"""

from __future__ import annotations

import argparse
import compileall
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing"), str(ROOT / "Testing/Slicer")]
sys.path.append(str(ROOT / "GenSegSlicer"))

from application_fixtures import start_application  # noqa: E402 - found through the path above

HOST, _ = start_application()

import numpy as np  # noqa: E402
import slicer  # noqa: E402
from measuring import write_result  # noqa: E402
from mrml_nodes import add_segmentation, add_volume, grid_matrix, oriented_image  # noqa: E402
from panel_driver import MODULE, PanelDriver  # noqa: E402
from panel_scenes import load_hippocampi, tiny_preset  # noqa: E402
from small_trainings import JobRecorder, garbage_collections, unpreempted_time_s  # noqa: E402

Turns = dict[str, list[float]]
"""Seconds of the iterations of the event loop, by what the user did."""

LARGE = (300, 512, 512)
UI_FILE = str(ROOT / "GenSegSlicer/Resources/UI/GenSegSlicer.ui")


def load_module() -> None:
    """Import the module as Slicer does when it starts; the bytecode is cached, as in Slicer."""
    for package in ("GenSegLib", "GenSegSlicer"):
        compileall.compile_dir(ROOT / package, quiet=1)
    manager = slicer.app.moduleManager()
    if manager.module("GenSegSlicer") is None:
        manager.load(MODULE)


def followed(job: Any) -> list[float]:
    """Run the event loop until the job has ended and is shown; return seconds of its iterations."""
    watch = JobRecorder(HOST, job)
    watch.wait_until_ended(timeout_s=3600)
    if job.state != "finished":
        raise SystemExit(f"{job.state}: {job.message}")
    return [*watch.turns_s, *turns_of(HOST.process_events, 30)]


def turns_of(action: Callable[[], object], iterations: int = 60) -> list[float]:
    """Do something and run the event loop; return the seconds of the action and the iterations."""
    turns = []
    for step in (action, *[HOST.process_events] * iterations):
        start = unpreempted_time_s()
        step()
        turns.append(unpreempted_time_s() - start)
    return turns


def checked(panel: PanelDriver) -> list[float]:
    """Run the event loop until all pairs are checked; return the seconds of its iterations."""
    turns: list[float] = []
    while not turns or panel.widget.panel.cases.isChecking:
        turns += turns_of(HOST.process_events, 0)
    return turns


def prepared(data: Path, folder: Path, turns: Turns) -> PanelDriver:
    """Open the panel, add pairs, change a class, and load the scene without and with the panel."""
    slicer.mrmlScene.Clear(0)
    load_hippocampi(data, 10)
    scene_file = str(folder / "scene.mrb")
    slicer.util.saveScene(scene_file)
    slicer.mrmlScene.Clear(0)
    load = turns_of(lambda: slicer.util.loadScene(scene_file), 5)
    turns["loading_a_scene_before_the_panel_is_opened"] = load
    turns["loading_the_ui_file"] = turns_of(lambda: slicer.util.loadUI(UI_FILE).delete(), 5)
    turns["opening"] = turns_of(lambda: PanelDriver(HOST))
    panel = PanelDriver(HOST)
    add = panel.ui.addFromSceneButton
    turns["adding_pairs"] = [*turns_of(lambda: panel.press(add)), *checked(panel)]
    box = panel.ui.segmentsTable.cellWidget(1, 2)
    for choice in ("Not used", "Posterior"):
        change = turns_of(lambda box=box, choice=choice: panel.choose(box, choice))
        turns["changing_a_class"] = [*change, *checked(panel)]
        box = panel.ui.segmentsTable.cellWidget(1, 2)
    slicer.util.saveScene(scene_file)
    slicer.mrmlScene.Clear(0)
    turns["loading_a_scene"] = [
        *turns_of(lambda: slicer.util.loadScene(scene_file)),
        *checked(panel),
    ]
    return panel


def trained_and_reviewed(panel: PanelDriver, folder: Path, turns: Turns) -> None:
    """Train on the pairs of the panel, show the curves, and step through the previews."""
    ui = panel.ui
    panel.parameters.preset = str(tiny_preset(folder, final_steps=30))
    panel.parameters.outputFolder = str(folder / "runs")
    HOST.wait_until(lambda: ui.trainButton.enabled, 60)
    start = turns_of(lambda: panel.press(ui.trainButton), 0)
    turns["training"] = [*start, *followed(panel.widget.panel.runs.job)]
    turns["showing_curves"] = turns_of(lambda: panel.press(ui.chartButton))
    panel.press(ui.chartButton)
    ui.reviewSection.collapsed = False
    HOST.process_events()
    turns["reviewing"] = []
    for _ in range(6):
        turns["reviewing"] += turns_of(lambda: panel.press(ui.reviewNextButton), 5)
    ui.reviewSection.collapsed = True


def applied_and_evaluated(panel: PanelDriver, turns: Turns) -> None:
    """Segment the first volume and compare the result with its reference."""
    ui = panel.ui
    ui.applySection.collapsed = ui.evaluateSection.collapsed = False
    pair = panel.widget.panel.cases.pairs[0]
    ui.inputVolumeSelector.setCurrentNode(pair.volumeNode)
    HOST.process_events()
    start = turns_of(lambda: panel.press(ui.applyButton), 0)
    turns["applying"] = [*start, *followed(panel.widget.panel.apply.job)]
    ui.referenceSelector.setCurrentNode(pair.segmentationNode)
    HOST.process_events()
    start = turns_of(lambda: panel.press(ui.evaluateButton), 0)
    turns["evaluating"] = [*start, *followed(panel.widget.panel.evaluate.job)]


def large_scans(panel: PanelDriver, folder: Path, turns: Turns) -> None:
    """Check two large scans of the same size and sum, and write them for a training."""
    slicer.mrmlScene.Clear(0)
    rng, grid = np.random.default_rng(0), grid_matrix((0.8, 0.8, 1.5))
    voxels = np.resize(rng.integers(-1000, 1500, 1 << 20, np.int16), LARGE)
    for fine in (1, 2):
        swapped = voxels.copy()
        swapped[0, 0, :2] = voxels[0, 0, 1::-1] if fine == 2 else voxels[0, 0, :2]
        volume = add_volume(swapped, grid, f"CT {fine}")
        own = grid @ np.diag([1 / fine, 1 / fine, 1 / fine, 1.0])
        own[:3, 3] += grid[:3, :3].sum(axis=1) * (1 / fine - 1) / 2
        label = np.zeros([fine * size for size in LARGE], np.uint8)
        label[tuple(slice(fine * size // 4, 3 * fine * size // 4) for size in LARGE)] = 1
        node = add_segmentation([(oriented_image(label, own), {1: "Liver"})], f"CT {fine} segments")
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    panel.parameters.preset = "liver-ct"
    HOST.process_events()
    added = turns_of(lambda: panel.press(panel.ui.addFromSceneButton), 0)
    turns["checking_large_scans"] = [*added, *checked(panel)]
    found = [(pair.status, pair.warning) for pair in panel.widget.panel.cases.pairs]
    if [status for status, _warning in found] != ["ok", "ok"]:
        raise SystemExit(f"the scans were not checked: {found}")
    panel.parameters.outputFolder = str(folder / "large")
    HOST.process_events()
    writing = turns_of(lambda: panel.press(panel.ui.trainButton), 0)
    job = panel.widget.panel.runs.job
    while job.state == "preparing":
        writing += turns_of(HOST.process_events, 0)
    turns["writing_large_scans"] = writing
    job.kill()
    HOST.wait_until(lambda: not job.isActive, 600)
    slicer.mrmlScene.Clear(0)


def annotated_large_scan(panel: PanelDriver, folder: Path, turns: Turns) -> None:
    """Segment a large scan in the annotation loop: it is saved meanwhile, and accepted."""
    slicer.mrmlScene.Clear(0)
    volume = add_volume(np.zeros(LARGE, np.int16), grid_matrix((0.8, 0.8, 1.5)), "CT")
    panel.parameters.outputFolder = str(folder / "annotated")
    panel.parameters.annotateWhen = "button"
    panel.ui.annotateSection.collapsed = False
    HOST.process_events()
    turns["opening_a_large_scan"] = turns_of(lambda: panel.press(panel.ui.nextCaseButton))
    loop = panel.widget.panel.annotate.loop
    node = loop.current.case.segmentationNode
    label = np.zeros(LARGE, np.uint8)
    label[tuple(slice(size // 4, 3 * size // 4) for size in LARGE)] = 1
    segment = node.GetSegmentation().GetNthSegmentID(0)
    slicer.util.updateSegmentBinaryLabelmapFromArray(label, node, segment, volume)
    loop._saver._timer.setInterval(1)
    turns["saving_a_large_scan"] = turns_of(HOST.process_events, 300)
    accepting = turns_of(lambda: panel.press(panel.ui.acceptButton), 0)
    while loop.isWaiting:
        accepting += turns_of(HOST.process_events, 0)
    turns["accepting_a_large_scan"] = [*accepting, *turns_of(HOST.process_events)]
    slicer.mrmlScene.Clear(0)


def everything(data: Path, folder: Path) -> Turns:
    """Do everything once; return the iterations by what was done."""
    turns: Turns = {}
    panel = prepared(data, folder, turns)
    trained_and_reviewed(panel, folder, turns)
    applied_and_evaluated(panel, turns)
    large_scans(panel, folder, turns)
    annotated_large_scan(panel, folder, turns)
    HOST.close_module("GenSegSlicer")
    return turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    found: dict[str, Any] = {"rounds": args.rounds}
    load_module()
    for number in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            for action, turns in everything(args.data, Path(folder)).items():
                longest, usual = max(turns), float(np.quantile(turns, 0.99))
                found.setdefault(f"{action}_longest_turn_s", []).append(round(longest, 3))
                found.setdefault(f"{action}_99_percent_below_s", []).append(round(usual, 4))
        pause = round(garbage_collections.longest_s, 3)
        found.setdefault("garbage_collection_longest_s", []).append(pause)
        print(f"round {number + 1} of {args.rounds} done", flush=True)
    print(write_result("panel_turns", found))


if __name__ == "__main__":
    main()
