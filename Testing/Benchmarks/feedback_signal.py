"""How much of the feedback is signal: hypergradients of many batches, at several moments.

    python Testing/Benchmarks/feedback_signal.py [--data DIR] [--draws 24] [--moments 100 300 900]

The joint phase runs without feedback. At each moment the hypergradient is taken on fresh batches,
while nothing moves. For every upper-level variable: its mean, how many standard errors of a single
draw the mean is from zero, and how many draws would tell its sign with 95 % certainty; a training
of standard effort takes `joint_steps / upper_every` of them. Writes results/feedback_signal.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from feedback_cost import make_learner
from measuring import ROOT, write_findings

from GenSegLib.learner import Learner
from GenSegLib.multilevel import finite_difference

_CERTAIN = 1.64  # standard errors from zero at which a sign is wrong in 5 of 100


def train_on(learner: Learner, start: int, end: int) -> None:
    """Take joint steps without feedback."""
    learner.engine.hypergradient = None
    for step in range(start, end):
        learner.joint_step(step)


def hypergradients(learner: Learner, draws: int) -> np.ndarray:
    """Return one on each of `draws` fresh batches, (draw, variable)."""
    found = []
    for _ in range(draws):
        gradient = finite_difference(learner._trilevel(learner.sampling.batches()))
        found.append(torch.cat([tensor.flatten() for tensor in gradient]).numpy())
    return np.array(found)


def variables(learner: Learner) -> list[str]:
    """Name the upper-level variables in the order of their gradient."""
    cells = [
        f"alpha/{place}/{name}"
        for place, cell in learner.problem.generator.cells().items()
        for name in cell.weights()
    ]
    return [*cells, "gamma", "residual", *learner.problem.variables.changes]


def signal(draws: np.ndarray, names: list[str]) -> dict[str, dict[str, float]]:
    """Return mean, mean over deviation, and draws needed, by variable."""
    mean, deviation = draws.mean(axis=0), draws.std(axis=0, ddof=1)
    ratio = np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 0)
    needed = (_CERTAIN / np.maximum(np.abs(ratio), 1e-3)) ** 2
    return {
        name: {
            "mean": float(f"{m:.3g}"),
            "mean_over_deviation": round(float(r), 3),
            "draws_for_its_sign": int(np.ceil(n)),
        }
        for name, m, r, n in zip(names, mean, ratio, needed)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--moments", type=int, nargs="+", default=[100, 300, 900])
    args = parser.parse_args()
    learner, done = make_learner(args.data), 0
    config = learner.config
    found: dict[str, object] = {
        "draws": args.draws,
        "draws_in_a_training": config.joint_steps // config.upper_every,
    }
    for moment in args.moments:
        train_on(learner, done, moment)
        done = moment
        found[f"step_{moment}"] = signal(hypergradients(learner, args.draws), variables(learner))
        print(f"step {moment} done", flush=True)
    print(write_findings("feedback_signal", found))


if __name__ == "__main__":
    main()
