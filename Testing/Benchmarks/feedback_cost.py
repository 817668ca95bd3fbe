"""What a joint three-level iteration costs against a two-level one, and how exact the feedback is.

    python Testing/Benchmarks/feedback_cost.py [--data DIR] [--iterations 24]

Two-level: a step of generator (with its adversary) and segmenter. Three-level: the same with the
upper level's step every `upper_every` iterations. Both alternate in one process, so that a noisy
machine slows both alike. The finite-difference hypergradient, in the training's own precision, is
compared with exact unrolling on the same batches. Writes results/feedback_cost.json.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from measuring import ROOT, write_findings

from GenSegLib.config import TrainConfig
from GenSegLib.layouts import read_cases
from GenSegLib.learner import Learner
from GenSegLib.multilevel import finite_difference, unroll
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegLib.session import load_session


def make_learner(data: Path) -> Learner:
    preset = load_preset("hippocampus-mri")
    config = TrainConfig.for_preset(preset)
    cases = read_cases(data).low_data(10, 0).with_validation(config.validation_share, 0)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder) / "run", config, preset, cases)
        return load_session(run).learner


def measure(learner: Learner, iterations: int) -> dict[str, float]:
    """Return median seconds of a two-level iteration and of an upper-level step."""
    method = learner.engine.hypergradient
    seconds: dict[str, list[float]] = {"two_level": [], "with_upper": []}
    for _ in range(iterations):
        for name, used in (("two_level", None), ("with_upper", method)):
            learner.engine.hypergradient = used
            start = time.perf_counter()
            learner.joint_step(learner.config.upper_every - 1)
            seconds[name].append(time.perf_counter() - start)
    learner.engine.hypergradient = method
    return {name: statistics.median(values) for name, values in seconds.items()}


def agreement(learner: Learner, batches: int) -> list[float]:
    """Return the cosine of the hypergradient with the exact one on fresh batches."""
    cosines = []
    for _ in range(batches):
        problem = learner._trilevel(learner.sampling.batches())
        found, exact = (
            torch.cat([g.flatten() for g in method(problem)])
            for method in (finite_difference, unroll)
        )
        cosines.append(float(torch.cosine_similarity(found, exact, dim=0)))
    return cosines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--iterations", type=int, default=24)
    args = parser.parse_args()
    learner = make_learner(args.data)
    medians = measure(learner, args.iterations)
    every = learner.config.upper_every
    extra = (medians["with_upper"] - medians["two_level"]) / every
    cosines = agreement(learner, 5)
    found = {
        "two_level_s": round(medians["two_level"], 4),
        "upper_step_s": round(medians["with_upper"] - medians["two_level"], 4),
        "upper_every": every,
        "three_level_over_two_level": round(1 + extra / medians["two_level"], 3),
        "cosine_with_unrolling": [round(value, 3) for value in cosines],
    }
    print(write_findings("feedback_cost", found))


if __name__ == "__main__":
    main()
