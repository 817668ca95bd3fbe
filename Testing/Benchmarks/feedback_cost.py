"""Cost of a joint iteration with feedback against one without, and accuracy of the hypergradient.

    python Testing/Benchmarks/feedback_cost.py [--data DIR] [--rounds 8] [--device cpu]

Two-level: a step of generator, discriminator and segmenter. Three-level: with a step of the upper
level every `upper_interval` iterations, which reuses the steps just taken (the default) or computes
virtual ones (`reuse_last_steps=false`). All variants alternate in one process. The hypergradient
by finite differences, in the precision of the training, is compared with the exact one.
Writes results/feedback_cost.json.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from measuring import ROOT, interleaved, write_result

from GenSegLib.config import TrainConfig
from GenSegLib.data.layouts import read_cases
from GenSegLib.multilevel import TrilevelProblem, finite_difference, unroll
from GenSegLib.multilevel.vectors import StepSizes, Tensors, gradient, leaves, scale
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegLib.training.learner import Learner
from GenSegLib.training.session import load_session

EARLY = 0.2  # of the segmenter's learning rate, as in the first joint steps of a training
VARIANTS = {
    "two_level": (False, False),
    "virtual_steps": (True, False),
    "reuse_steps": (True, True),
}


def make_learner(data: Path, device: str = "auto", **settings: object) -> Learner:
    """Return a learner for ten hippocampi that has not taken a step."""
    preset = load_preset("hippocampus-mri")
    config = TrainConfig.for_preset(preset, device=device, threads=1, **settings)
    cases = read_cases(data).subset(10, 0).with_validation(config.validation_fraction, 0)
    with tempfile.TemporaryDirectory() as folder:
        return load_session(RunFolder.create(Path(folder) / "run", config, preset, cases)).learner


def iterate(learner: Learner, variant: str) -> None:
    """Take a joint step in which the upper level is due, if the variant has one."""
    has_feedback, learner.engine.reuse_steps = VARIANTS[variant]
    method = learner.engine.hypergradient
    learner.engine.hypergradient = method if has_feedback else None
    learner.joint_step(learner.config.upper_interval - 1)
    learner.engine.hypergradient = method


def costs(learner: Learner, rounds: int) -> dict[str, object]:
    """Return the cost of an upper-level step with virtual and with reused steps."""
    variants = {name: lambda name=name: iterate(learner, name) for name in VARIANTS}
    medians = interleaved(variants, rounds, learner.device)
    interval, two_level = learner.config.upper_interval, medians["two_level"]
    found: dict[str, object] = {"two_level_s": round(two_level, 4), "upper_interval": interval}
    for name in ("virtual_steps", "reuse_steps"):
        extra = medians[name] - two_level
        found[name] = {
            "upper_step_s": round(extra, 4),
            "three_level_over_two_level": round(1 + extra / interval / two_level, 3),
        }
    return found


def cosine(found: Tensors, exact: Tensors) -> float:
    sides = [torch.cat([each.flatten() for each in side]) for side in (found, exact)]
    return round(float(torch.cosine_similarity(*sides, dim=0)), 3)


def cosine_virtual(learner: Learner) -> float:
    """Return the cosine with the exact hypergradient for virtual steps on a fresh batch."""
    problem = learner.trilevel(learner.sampler.trilevel_batch())
    return cosine(finite_difference(problem), unroll(problem))


def cosine_reused(learner: Learner) -> float:
    """Return the cosine with the exact hypergradient for the optimizer steps of one iteration."""
    problem = learner.trilevel(learner.sampler.trilevel_batch())
    before = problem.snapshot()
    pairs: list[Tensors] = []

    def both(*arguments: object, **options: object) -> list[torch.Tensor]:
        pairs.append(finite_difference(*arguments, **options))
        pairs.append(exact_for_step(problem, before))
        return pairs[0]

    engine = replace(learner.engine, hypergradient=both, reuse_steps=True, upper_interval=1)
    engine.iterate(0, problem)
    return cosine(*pairs)


def exact_for_step(after: TrilevelProblem, before: TrilevelProblem) -> list[torch.Tensor]:
    """Differentiate through the optimizer steps that led from one problem's weights to another's.

    Values are those that the optimizers reached; derivatives are those of step size times gradient.
    """
    upper, lower, middle = leaves(after.upper), leaves(before.lower), leaves(before.middle)

    def reached(end: Tensors, start: Tensors, loss: torch.Tensor, size: StepSizes) -> Tensors:
        steps = scale(gradient(loss, start, create_graph=True), size)
        return [p.detach() - (step - step.detach()) for p, step in zip(end, steps)]

    lower_loss = after.lower_loss(lower, upper)
    lower_end = reached(after.lower, lower, lower_loss, after.lower_step_size)
    middle_loss = after.middle_loss(middle, after.generate(lower_end, upper))
    middle_end = reached(after.middle, middle, middle_loss, after.middle_step_size)
    return gradient(after.upper_loss(middle_end, upper), upper)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    learner = make_learner(args.data, args.device)
    learner.set_segmenter_lr(EARLY)
    found = costs(learner, args.rounds)
    found["cosine_virtual_steps"] = [cosine_virtual(learner) for _ in range(5)]
    found["cosine_reused_steps"] = [cosine_reused(learner) for _ in range(5)]
    print(write_result("feedback_cost", found))


if __name__ == "__main__":
    main()
