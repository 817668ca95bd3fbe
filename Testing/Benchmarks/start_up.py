"""Start-up time: `genseg --help`, a training up to its first step, and the import of the panel.

    python Testing/Benchmarks/start_up.py [--rounds 3]

Library and command line run in an environment without developer packages, as users install them,
because MONAI imports optional packages that it finds. Wall-clock and CPU seconds, with warm file
caches. Writes results/start_up.json.
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

from measuring import ROOT, peer_python, write_result

# Prints wall-clock and CPU seconds at each milestone; exits after the first step.
_TRAINING = """
import json, os, sys, time
def mark(name):
    print(json.dumps({"mark": name, "wall": time.time(), "cpu": time.process_time()}), flush=True)
mark("python")
from GenSegLib import cli
mark("command line")
import torch
mark("torch")
import GenSegLib.training.trainer as trainer
mark("MONAI and the rest")
load_session = trainer.load_session
def loaded(*arguments):
    mark("cases checked, threads chosen")
    session = load_session(*arguments)
    mark("cases prepared, networks made")
    take_step = session.learner.warmup_step
    def first_step():
        take_step()
        mark("first step")
        os._exit(0)
    session.learner.warmup_step = first_step
    return session
trainer.load_session = loaded
cli.main(sys.argv[1:])
"""
# Runs in the desktop host, where Qt and VTK are loaded as they are in Slicer.
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
    """Return the wall-clock and CPU seconds of a program."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(map(str, command))}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def training_milestones(python: Path, data: Path) -> dict[str, tuple[float, float]]:
    """Return the wall-clock and CPU seconds until each milestone."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["train", str(data), "--preset", "hippocampus-mri", "--labeled", "10"]
        command = [python, "-c", _TRAINING, *arguments, "--out", f"{folder}/run"]
        start = time.time()
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    marks = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"mark"')]
    return {each["mark"]: (each["wall"] - start, each["cpu"]) for each in marks}


def panel_import() -> tuple[float, float]:
    """Return the wall-clock and CPU seconds of importing the panel."""
    command = [sys.executable, "-c", _PANEL]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, env=environment
    )
    wall, processor = map(float, done.stdout.split()[-2:])
    return wall, processor


def medians(values: list[tuple[float, float]]) -> dict[str, float]:
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
    training_milestones(python, args.data)  # compiles bytecode
    trainings = [training_milestones(python, args.data) for _ in rounds]
    found = {
        "help": medians([run_and_time(help_command) for _ in rounds]),
        "training_until": {m: medians([each[m] for each in trainings]) for m in trainings[0]},
        "panel_import": medians([panel_import() for _ in rounds]),
    }
    print(write_result("start_up", found))


if __name__ == "__main__":
    main()
