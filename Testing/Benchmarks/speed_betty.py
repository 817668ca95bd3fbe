"""GenSeg's three levels on Betty (betty-ml), the engine that the method's paper used.

The losses, networks, optimizers and batches are GenSeg's own, so that the engines alone differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from betty.configs import Config, EngineConfig
from betty.engine import Engine
from betty.problems import ImplicitProblem
from torch import nn

from GenSegLib.training.learner import Learner
from GenSegLib.training.problem import Batches


class Weights(nn.Module):
    """The weights of one level, which others use through functional calls."""

    def __init__(self, weights: list[torch.Tensor]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(weights)


class Level(ImplicitProblem):
    """A level whose loss is given; Betty hands the batch to it, and it is always the same one."""

    def __init__(
        self,
        name: str,
        weights: list[torch.Tensor],
        optimizer: torch.optim.Optimizer,
        loss: Callable[[], torch.Tensor],
        config: Config,
    ) -> None:
        super().__init__(name, config, Weights(weights), optimizer)
        self._loss = loss

    def get_batch(self) -> None:
        return None

    def training_step(self, batch: None) -> torch.Tensor:
        return self._loss()


class _AdamW(torch.optim.AdamW):
    """AdamW as Betty makes it anew: from all its defaults, of which today's does not take one."""

    def __init__(self, weights: list, decoupled_weight_decay: bool = True, **how: Any) -> None:
        super().__init__(weights, **how)


def betty_iteration(learner: Learner, batches: Batches, device: str) -> Callable[[], None]:
    """Return what takes one joint iteration; the upper level moves each `upper_interval` ones.

    Finite differences (Betty's "darts") through both paths from the upper level, as in GenSeg.
    """
    problem, engine, every = learner.problem, learner.engine, learner.config.upper_interval
    levels = {"lower": engine.lower, "middle": engine.middle, "upper": engine.upper}
    optimizers = {name: level.optimizer for name, level in levels.items()}
    settings = engine.middle.optimizer.param_groups[0]
    optimizers["middle"] = _AdamW(
        engine.middle.parameters, lr=settings["lr"], weight_decay=settings["weight_decay"]
    )

    def held(name: str) -> list[torch.Tensor]:
        return list(problems[name].module.weights)

    def middle_loss() -> torch.Tensor:
        bridge = problem.bridge(batches.blends, held("lower"), held("upper"), batches.seed)
        return problem.middle_loss(batches.middle, batches.blends.labels, held("middle"), bridge)

    losses = {
        "lower": lambda: problem.lower_loss(batches, held("lower"), held("upper")),
        "middle": middle_loss,
        "upper": lambda: problem.upper_loss(batches, held("middle")),
    }
    problems = {
        name: Level(
            name,
            list(levels[name].parameters),
            optimizers[name],
            losses[name],
            Config(type="darts", unroll_steps=every if name == "middle" else 1),
        )
        for name in levels
    }
    lower, middle, upper = problems.values()
    dependencies = {
        "u2l": {upper: [lower, middle]},
        "l2u": {lower: [middle], middle: [upper]},
    }
    strategy = "gpu" if device.startswith("cuda") else "cpu"
    config = EngineConfig(train_iters=1, valid_step=10**9, strategy=strategy)
    runner = Engine([lower, middle, upper], config, dependencies)
    runner.train()

    def iterate() -> None:
        runner.global_step += 1
        runner.train_step()

    return iterate
