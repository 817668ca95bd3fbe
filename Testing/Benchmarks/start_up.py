"""How long GenSeg takes to start: its help, a training up to its first step, and its panel.

    python Testing/Benchmarks/start_up.py [--rounds 3]

Library and command line are measured as users install them, in an environment without the packages
of developers: MONAI imports whatever it finds there, pytorch-ignite and matplotlib among others.

Seconds of the clock, and of the processor: on a machine that does nothing else both are nearly the
same. All files have been read once before. Writes results/start_up.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from measuring import ROOT, write_findings
from peer_environment import peer_python

# Tells the seconds of the clock and of the processor when a training has come so far; the process
# ends with its first step.
_TRAINING = """
import json, os, sys, time
def mark(name):
    print(json.dumps({"mark": name, "wall": time.time(), "cpu": time.process_time()}), flush=True)
mark("python")
from GenSegLib import cli
mark("command line")
import torch
mark("torch")
import GenSegLib.training.trainer as phases
mark("MONAI and the rest")
load_session = phases.load_session
def loaded(*arguments):
    mark("cases checked, threads chosen")
    session = load_session(*arguments)
    mark("cases prepared, networks made")
    first = session.learner.warm_up_step
    def stepped():
        first()
        mark("first step")
        os._exit(0)
    session.learner.warm_up_step = stepped
    return session
phases.load_session = loaded
cli.main(sys.argv[1:])
"""
# In the desktop host, which stands for Slicer and has Qt and VTK loaded already.
_PANEL = """
import sys, time
sys.path[:0] = [".", "Testing", "GenSegSlicer"]
import Host
Host.install()
import numpy, qt, slicer, vtk
from slicer import ScriptedLoadableModule, util
start, processor = time.perf_counter(), time.process_time()
import GenSegSlicer
import GenSegSlicerLib.Panel
print(time.perf_counter() - start, time.process_time() - processor)
"""


def run_and_time(command: Sequence[str | Path]) -> tuple[float, float]:
    """Return the seconds of the clock and of the processor that a program takes."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def of_training(python: Path, data: Path) -> dict[str, tuple[float, float]]:
    """Return the seconds of the clock and of the processor until each mark."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["train", str(data), "--preset", "hippocampus-mri", "--labeled", "10"]
        command = [python, "-c", _TRAINING, *arguments, "--out", f"{folder}/run"]
        start = time.time()
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    marks = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"mark"')]
    return {each["mark"]: (each["wall"] - start, each["cpu"]) for each in marks}


def of_panel() -> tuple[float, float]:
    """Return the seconds of importing the panel."""
    command = [sys.executable, "-c", _PANEL]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, env=environment
    )
    wall, processor = map(float, done.stdout.split()[-2:])
    return wall, processor


def told(values: list[tuple[float, float]]) -> dict[str, float]:
    wall, cpu = (statistics.median(each) for each in zip(*values))
    return {"s": round(wall, 3), "processor_s": round(cpu, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rounds = range(args.rounds)
    python = peer_python("genseg", ("-e", str(ROOT)))
    help_command = [python, "-m", "GenSegLib", "--help"]
    of_training(python, args.data)  # Python compiles what it has not run yet
    trainings = [of_training(python, args.data) for _ in rounds]
    found = {
        "help": told([run_and_time(help_command) for _ in rounds]),
        "training_until": {m: told([each[m] for each in trainings]) for m in trainings[0]},
        "panel_import": told([of_panel() for _ in rounds]),
    }
    print(write_findings("start_up", found))


if __name__ == "__main__":
    main()
