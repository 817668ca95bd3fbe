"""What a joint three-level iteration costs against a two-level one, and how exact the feedback is.

    python Testing/Benchmarks/feedback_cost.py [--data DIR] [--rounds 8] [--device cpu]

Two-level: a step of generator (with its adversary) and segmenter. Three-level: the same with the
upper level's step every `upper_interval` iterations, which looks back through the steps just taken (as
trainings do) or ahead through one more of both (`look_back=false`). All alternate in one process.
The finite-difference hypergradient, in the training's own precision, is compared with the exact
one, by automatic differentiation through the very steps that it looks through.
Writes results/feedback_cost.json and what PyTorch's profiler says to results/feedback_profile.txt.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from measuring import RESULTS, ROOT, interleaved, seconds_of, write_result
from torch.profiler import ProfilerActivity, profile

from GenSegLib.config import TrainConfig
from GenSegLib.data.layouts import read_cases
from GenSegLib.multilevel import TrilevelProblem, finite_difference, unroll
from GenSegLib.multilevel.vectors import Rates, Tensors, gradient, moved, scaled, tracked
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder
from GenSegLib.training.learner import Learner
from GenSegLib.training.session import load_session

EARLY = 0.2  # of the segmenter's rate, as trainings have it in their first joint steps
WAYS = {"two_level": (False, False), "look_ahead": (True, False), "look_back": (True, True)}


@contextmanager
def hippocampus_run(data: Path, **settings: object) -> Iterator[RunFolder]:
    """Give a run of the main job, that has not begun."""
    preset = load_preset("hippocampus-mri")
    config = TrainConfig.for_preset(preset, **settings)
    cases = read_cases(data).subset(10, 0).with_validation(config.validation_fraction, 0)
    with tempfile.TemporaryDirectory() as folder:
        yield RunFolder.create(Path(folder) / "run", config, preset, cases)


def make_learner(data: Path, device: str = "auto", **settings: object) -> Learner:
    with hippocampus_run(data, **{"device": device, "threads": 1, **settings}) as run:
        return load_session(run).learner


def iterate(learner: Learner, way: str) -> None:
    """Take a joint step, in which the upper level is due where it moves at all."""
    has_feedback, learner.engine.reuse_steps = WAYS[way]
    method = learner.engine.hypergradient
    learner.engine.hypergradient = method if has_feedback else None
    learner.joint_step(learner.config.upper_interval - 1)
    learner.engine.hypergradient = method


def costs(learner: Learner, rounds: int) -> dict[str, object]:
    """Return what an upper-level step costs, looking ahead and looking back."""
    ways = {way: lambda way=way: iterate(learner, way) for way in WAYS}
    medians = interleaved(ways, rounds, learner.device)
    every, two_level = learner.config.upper_interval, medians["two_level"]
    weights = learner.problem.middle_parameters()
    found: dict[str, object] = {
        "two_level_s": round(two_level, 4),
        "upper_interval": every,
        "weights_moved_once_s": round(
            seconds_of(lambda: moved(weights, weights, 0.0), learner.device), 5
        ),
    }
    for way in ("look_ahead", "look_back"):
        extra = medians[way] - two_level
        found[way] = {
            "upper_step_s": round(extra, 4),
            "three_level_over_two_level": round(1 + extra / every / two_level, 3),
        }
    return found


def cosine(found: list[torch.Tensor], exact: list[torch.Tensor]) -> float:
    sides = [torch.cat([each.flatten() for each in side]) for side in (found, exact)]
    return round(float(torch.cosine_similarity(*sides, dim=0)), 3)


def looking_ahead(learner: Learner) -> float:
    """Return the cosine with the exact hypergradient on fresh batches."""
    problem = learner._trilevel(learner.sampling.batches())
    return cosine(finite_difference(problem), unroll(problem))


def looking_back(learner: Learner) -> float:
    """Return the cosine of what a joint step followed with the exact answer for that step."""
    problem = learner._trilevel(learner.sampling.batches())
    before = [[p.detach().clone() for p in side] for side in (problem.lower, problem.middle)]
    followed: list[list[torch.Tensor]] = []

    def noted(*arguments: object, **options: object) -> list[torch.Tensor]:
        followed.append(finite_difference(*arguments, **options))
        followed.append(exact_for_the_step(problem, *before))
        return followed[0]

    replace(learner.engine, hypergradient=noted, reuse_steps=True, upper_interval=1).iterate(
        0, problem
    )
    return cosine(*followed)


def exact_for_the_step(
    problem: TrilevelProblem, lower: Tensors, middle: Tensors
) -> list[torch.Tensor]:
    """Differentiate through the steps that led from these weights to the problem's present ones.

    The values are those that the optimizers reached, the derivatives those of their rates times
    the gradients.
    """
    upper, lower, middle = tracked(problem.upper), tracked(lower), tracked(middle)

    def reached(now: Tensors, then: Tensors, loss: torch.Tensor, rate: Rates) -> Tensors:
        steps = scaled(gradient(loss, then, create_graph=True), rate)
        return [p.detach() - (step - step.detach()) for p, step in zip(now, steps)]

    lower_loss = problem.lower_loss(lower, upper)
    lower_now = reached(problem.lower, lower, lower_loss, problem.lower_rate)
    middle_loss = problem.middle_loss(middle, problem.bridge(lower_now, upper))
    middle_now = reached(problem.middle, middle, middle_loss, problem.middle_rate)
    return gradient(problem.upper_loss(middle_now, upper), upper)


def write_profile(learner: Learner) -> None:
    """Write which operations an iteration with feedback spends its time in, way by way."""
    on_card = [ProfilerActivity.CUDA] if learner.device.type == "cuda" else []
    sort = "self_cuda_time_total" if on_card else "self_cpu_time_total"
    texts = []
    for way in WAYS:
        with profile(activities=[ProfilerActivity.CPU, *on_card]) as found:
            iterate(learner, way)
        table = found.key_averages().table(sort_by=sort, row_limit=14, max_name_column_width=40)
        texts.append(f"{way}\n{table}")
    (RESULTS / "feedback_profile.txt").write_text("\n".join(texts), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    learner = make_learner(args.data, args.device)
    learner.set_segmenter_rate(EARLY)
    found = costs(learner, args.rounds)
    write_profile(learner)
    found["cosine_looking_ahead"] = [looking_ahead(learner) for _ in range(5)]
    found["cosine_looking_back"] = [looking_back(learner) for _ in range(5)]
    print(write_result("feedback_cost", found))


if __name__ == "__main__":
    main()
