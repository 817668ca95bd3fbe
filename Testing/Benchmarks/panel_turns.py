"""The longest time that the panel blocks Slicer's event loop while jobs run.

    python Testing/Benchmarks/panel_turns.py [--data DIR] [--rounds 3]

The panel is open in the desktop host while a small training, a segmentation and an evaluation run
in their own processes on real hippocampus volumes. The time of one event-loop iteration is CPU time
of the main thread. Writes results/panel_turns.json.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing"), str(ROOT / "Testing/Slicer")]
sys.path.append(str(ROOT / "GenSegSlicer"))

import Host  # noqa: E402 - found through the path above

HOST = Host.install()

import numpy as np  # noqa: E402
import slicer  # noqa: E402
from GenSegSlicerLib.Logic import GenSegSlicerLogic  # noqa: E402
from measuring import write_result  # noqa: E402
from panel_driver import PanelDriver  # noqa: E402
from panel_scenes import load_hippocampi, tiny_preset  # noqa: E402
from small_trainings import TINY, JobRecorder  # noqa: E402


def followed(job: Any) -> list[float]:
    """Run the event loop until the job has ended; return the seconds of its iterations."""
    watch = JobRecorder(HOST, job)
    watch.wait_until_ended()
    if job.state != "finished":
        raise SystemExit(f"{job.state}: {job.message}")
    return watch.turns_s


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
            for job, turns in jobs_in_turn(args.data, Path(folder)).items():
                longest, usual = max(turns), float(np.quantile(turns, 0.99))
                found.setdefault(f"{job}_longest_turn_s", []).append(round(longest, 3))
                found.setdefault(f"{job}_99_percent_below_s", []).append(round(usual, 4))
        print(f"round {number + 1} of {args.rounds} done", flush=True)
    print(write_result("panel_turns", found))


if __name__ == "__main__":
    main()
