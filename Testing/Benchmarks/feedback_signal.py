"""How much of the feedback is signal: hypergradients of many batches, at several moments.

    python Testing/Benchmarks/feedback_signal.py [--data DIR] [--draws 24] [--moments 100 150 200]

The joint phase runs without feedback. At each moment the hypergradient is taken on fresh batches,
while nothing moves. For every upper-level variable: its mean, how many standard errors of a single
draw the mean is from zero, and how many draws would tell its sign with 95 % certainty; a training
of standard effort takes `joint_steps / upper_every` of them. Beside it, how much the held-back loss
falls along the segmenter's step on real and on generated pairs, by its slope at the averaged
weights (which the feedback asks) and at those after the step.
Writes results/feedback_signal.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from feedback_cost import make_learner
from measuring import ROOT, write_findings

from GenSegLib.multilevel import finite_difference
from GenSegLib.multilevel.levels import gradient, inner, moved, scaled, tracked
from GenSegLib.training.learner import Learner
from GenSegLib.training.problem import Batches
from GenSegLib.training.schedule import Schedule

_CERTAIN = 1.64  # standard errors from zero at which a sign is wrong in 5 of 100


def train_on(learner: Learner, start: int, end: int) -> None:
    """Take joint steps without feedback, at a training's rates."""
    learner.engine.hypergradient = None
    schedule = Schedule.of(learner.config)
    for step in range(start, end):
        learner.set_segmenter_rate(schedule.segmenter_rate("joint", step, 0.0))
        learner.joint_step(step)


def hypergradients(learner: Learner, draws: int) -> np.ndarray:
    """Return one on each of `draws` fresh batches, (draw, variable)."""
    found = []
    for _ in range(draws):
        gradient = finite_difference(learner._trilevel(learner.sampling.batches()))
        found.append(torch.cat([tensor.flatten() for tensor in gradient]).numpy())
    return np.array(found)


def falls(learner: Learner, draws: int) -> dict[str, dict[str, list[float]]]:
    """Return mean and standard error of the held-back loss's fall, by the place of its slope."""
    found: dict[str, dict[str, list[float]]] = {"averaged": {}, "after_the_step": {}}
    for _ in range(draws):
        batches = learner.sampling.batches()
        problem, levels = learner.problem, learner._trilevel(batches)
        steps = steps_on_pairs(learner, batches)
        both = moved(levels.middle, moved(*steps.values(), 1.0), -1.0)
        places = {"averaged": learner.average.tensors, "after_the_step": both}
        for place, weights in places.items():
            weights = tracked(weights)
            slope = gradient(problem.upper_loss(batches, weights), weights)
            for pairs, step in steps.items():
                found[place].setdefault(pairs, []).append(float(inner(slope, step)))
    return {
        place: {pairs: _mean_and_error(values) for pairs, values in of_place.items()}
        for place, of_place in found.items()
    }


def steps_on_pairs(learner: Learner, batches: Batches) -> dict[str, list[torch.Tensor]]:
    """Return the segmenter's steps that real and generated pairs ask for."""
    problem, levels = learner.problem, learner._trilevel(batches)
    with torch.no_grad():
        drawn, _ = problem.bridge(batches.blends, levels.lower, levels.upper, batches.seed)
    pairs = {"real": batches.middle, "generated": (drawn, batches.blends.labels)}
    return {
        name: scaled(gradient(problem.real_loss(*each), levels.middle), levels.middle_rate)
        for name, each in pairs.items()
    }


def _mean_and_error(values: list[float]) -> list[float]:
    return [
        float(f"{x:.3g}") for x in (np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5)
    ]


def variables(learner: Learner) -> list[str]:
    """Name the upper-level variables in the order of their gradient."""
    cells = [
        f"alpha/{place}/{name}"
        for place, cell in learner.problem.generator.cells().items()
        for name in cell.weights()
    ]
    return [*cells, "weight", "residual", *learner.problem.variables.changes]


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
    parser.add_argument("--moments", type=int, nargs="+", default=[100, 150, 200, 250, 300])
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
        found[f"step_{moment}"] = {
            "variables": signal(hypergradients(learner, args.draws), variables(learner)),
            "falls": falls(learner, args.draws),
        }
        print(f"step {moment} done", flush=True)
    print(write_findings("feedback_signal", found))


if __name__ == "__main__":
    main()
