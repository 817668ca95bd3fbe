"""What each generator's steps cost on this machine's CPU, against those of searchable cells.

    python Testing/Benchmarks/generator_speed.py [--data DIR] [--rounds 7]

The generators alternate in one process, so that a noisy machine slows all alike, each in a training
of the preset's own settings: a step of the warm-up (generator and adversary), a joint step without
and with the upper level's, and a final step. Seconds are this thread's own, ratios the median of
the rounds'. Writes results/generator_speed.json.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from measuring import ROOT, write_findings

from GenSegLib.config import TrainConfig
from GenSegLib.data.layouts import read_cases
from GenSegLib.networks.generators import GENERATORS
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegLib.training.learner import Learner
from GenSegLib.training.session import load_session

CASES = 4  # what a step costs does not depend on how many there are
REFERENCE = "searchable"


def make_learner(data: Path, generator: str) -> Learner:
    preset = load_preset("hippocampus-mri")
    config = TrainConfig.for_preset(preset, generator=generator, threads=1)
    cases = read_cases(data).low_data(CASES, 0).with_validation(config.validation_share, 0)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder) / "run", config, preset, cases)
        return load_session(run).learner


def steps_of(learner: Learner) -> dict[str, Callable[[], object]]:
    every = learner.config.upper_every
    return {
        "warm_up": learner.warm_up_step,
        "two_level": lambda: learner.joint_step(0),
        "three_level": lambda: learner.joint_step(every - 1),
        "final": learner.final_step,
    }


def seconds(step: Callable[[], object]) -> float:
    start = time.thread_time()
    step()
    return time.thread_time() - start


def measure(learners: dict[str, Learner], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return the seconds of every round by generator and step; the first round only warms up."""
    steps = {name: steps_of(learner) for name, learner in learners.items()}
    found: dict[str, dict[str, list[float]]] = {name: {} for name in steps}
    for turn in range(rounds + 1):
        for name, own in steps.items():
            for step, take in own.items():
                spent = seconds(take)
                if turn:
                    found[name].setdefault(step, []).append(spent)
    return found


def compared(found: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, float]]:
    """Return median seconds and ratios to the reference by generator."""
    table: dict[str, dict[str, float]] = {}
    for name, own in found.items():
        table[name] = {}
        for step, values in own.items():
            ratios = [a / b for a, b in zip(values, found[REFERENCE][step])]
            table[name][f"{step}_s"] = round(statistics.median(values), 3)
            table[name][f"{step}_ratio"] = round(statistics.median(ratios), 2)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    learners = {name: make_learner(args.data, name) for name in GENERATORS}
    table = compared(measure(learners, args.rounds))
    weights = {
        name: sum(weight.numel() for weight in learner.problem.lower_parameters())
        for name, learner in learners.items()
    }
    generators = {name: {"weights": weights[name], **row} for name, row in table.items()}
    found = {"rounds": args.rounds, "batch": learners[REFERENCE].config.batch_size}
    print(write_findings("generator_speed", {**found, "generators": generators}))


if __name__ == "__main__":
    main()
