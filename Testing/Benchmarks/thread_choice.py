"""What choosing the CPU threads by measurement gives, on a quiet machine and beside other programs.

    python Testing/Benchmarks/thread_choice.py [--busy 0 1] [--steps 20]

For each number of programs that keep a core busy meanwhile: the seconds that a few steps of the
segmenter take with each number of threads, what the training chooses, and how long that takes.
Writes results/thread_choice.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from feedback_cost import hippocampus_run
from measuring import ROOT, write_findings

from GenSegLib.computing.threads import halvings
from GenSegLib.runs import RunFolder
from GenSegLib.training.learner import Learner
from GenSegLib.training.session import load_session
from GenSegLib.training.tuning import Tuning


@contextmanager
def busy_programs(count: int) -> Iterator[None]:
    """Keep so many cores busy for a while."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def seconds_of_a_step(learner: Learner, threads: int, steps: int) -> float:
    torch.set_num_threads(threads)
    images, labels = learner.sampling.real(held_back=False)
    began = time.perf_counter()
    for _ in range(steps):
        learner.engine.middle.descend(learner.problem.real_loss(images, labels))
    return round((time.perf_counter() - began) / steps, 4)


def measure(run: RunFolder, learner: Learner, most: int, steps: int) -> dict[str, object]:
    torch.set_num_threads(most)
    began = time.perf_counter()
    Tuning(run, print).choose()
    took, chosen = time.perf_counter() - began, torch.get_num_threads()
    seconds = {number: seconds_of_a_step(learner, number, steps) for number in halvings(most)}
    gain = round(seconds[most] / seconds[chosen], 3)
    return {
        "step_s_by_threads": seconds,
        "chosen": chosen,
        "as_fast_as_all_threads": gain,
        "choosing_s": round(took, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    most, found = torch.get_num_threads(), {}
    with hippocampus_run(args.data, device="cpu", threads=0) as run:
        learner = load_session(run).learner
        for count in args.busy:
            with busy_programs(count):
                found[f"beside_{count}_busy_programs"] = measure(run, learner, most, args.steps)
    print(write_findings("thread_choice", found))


if __name__ == "__main__":
    main()
