"""The longest time that the panel blocks Slicer's event loop while jobs run.

    python Testing/Benchmarks/panel_turns.py [--data DIR] [--rounds 3]
    Slicer --testing --additional-module-paths GenSegSlicer --python-script <this file> [options]

Actions of a user on ten pairs are measured first. Then the panel is open, in the desktop host or
in Slicer, while a small training, a segmentation and an evaluation run in their own processes on
real hippocampus volumes. The time of one event-loop iteration is CPU time of the main thread.
Writes results/panel_turns.json. No iteration should take more than 0.1 s, except for loading data.
"""

from __future__ import annotations

import argparse
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
from GenSegSlicerLib.Logic import GenSegSlicerLogic  # noqa: E402
from measuring import write_result  # noqa: E402
from panel_driver import PanelDriver  # noqa: E402
from panel_scenes import load_hippocampi, tiny_preset  # noqa: E402
from small_trainings import TINY, JobRecorder, unpreempted_time_s  # noqa: E402


def followed(job: Any) -> list[float]:
    """Run the event loop until the job has ended; return the seconds of its iterations."""
    watch = JobRecorder(HOST, job)
    watch.wait_until_ended()
    if job.state != "finished":
        raise SystemExit(f"{job.state}: {job.message}")
    return watch.turns_s


def turns_of(action: Callable[[], object], iterations: int = 60) -> list[float]:
    """Do something and run the event loop; return the seconds of the action and the iterations."""
    turns = []
    for step in (action, *[HOST.process_events] * iterations):
        start = unpreempted_time_s()
        step()
        turns.append(unpreempted_time_s() - start)
    return turns


def actions_in_turn(data: Path, folder: Path) -> dict[str, list[float]]:
    """Open the panel, add pairs, change a class and load a scene; return the iterations of each."""
    slicer.mrmlScene.Clear(0)
    turns = {"opening": turns_of(lambda: PanelDriver(HOST))}
    panel = PanelDriver(HOST)
    load_hippocampi(data, 10)
    ui, scene_file = panel.ui, str(folder / "scene.mrb")
    turns["adding_pairs"] = turns_of(lambda: panel.press(ui.addFromSceneButton))
    box = ui.segmentsTable.cellWidget(1, 2)
    turns["changing_a_class"] = turns_of(lambda: panel.choose(box, "Ignore"))
    slicer.util.saveScene(scene_file)
    slicer.mrmlScene.Clear(0)
    turns["loading_a_scene"] = turns_of(lambda: slicer.util.loadScene(scene_file))
    HOST.close_module("GenSegSlicer")
    return turns


def jobs_in_turn(data: Path, folder: Path) -> dict[str, list[float]]:
    """Train, apply and evaluate once with the panel open; return the iterations of each job."""
    slicer.mrmlScene.Clear(0)
    PanelDriver(HOST)
    *_, (volume, reference) = load_hippocampi(data, 6)
    logic = GenSegSlicerLogic()
    pairs = [pair for pair in logic.findPairs() if pair.volumeNode is not volume]
    training = logic.train(pairs, tiny_preset(folder), folder / "runs", settings=TINY)
    turns = {"training": followed(training)}
    applying = logic.apply(training.runFolder, volume, uncertainty=True)
    turns["applying"] = followed(applying)
    turns["evaluating"] = followed(logic.evaluate(applying.segmentationNodes[0], reference))
    HOST.close_module("GenSegSlicer")
    return turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    found: dict[str, Any] = {"rounds": args.rounds}
    for number in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            parts = (actions_in_turn, jobs_in_turn)
            measured = [part(args.data, Path(folder)) for part in parts]
            for job, turns in (item for found_turns in measured for item in found_turns.items()):
                longest, usual = max(turns), float(np.quantile(turns, 0.99))
                found.setdefault(f"{job}_longest_turn_s", []).append(round(longest, 3))
                found.setdefault(f"{job}_99_percent_below_s", []).append(round(usual, 4))
        print(f"round {number + 1} of {args.rounds} done", flush=True)
    print(write_result("panel_turns", found))


if __name__ == "__main__":
    main()
