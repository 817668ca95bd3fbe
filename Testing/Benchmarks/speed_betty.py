"""GenSeg's three levels on Betty (betty-ml), with GenSeg's losses, networks and optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from betty.configs import Config, EngineConfig
from betty.engine import Engine
from betty.problems import ImplicitProblem
from torch import nn

from GenSegLib.training.learner import Learner
from GenSegLib.training.problem import TrilevelBatch


class Weights(nn.Module):
    """The parameters of one level, which losses use through functional calls."""

    def __init__(self, weights: list[torch.Tensor]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(weights)


class Level(ImplicitProblem):
    """A level with a given loss on a batch that stays the same."""

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
    """Betty rebuilds optimizers from all their defaults, one of which AdamW does not accept."""

    def __init__(self, weights: list, decoupled_weight_decay: bool = True, **options: Any) -> None:
        super().__init__(weights, **options)


def betty_iteration(learner: Learner, batch: TrilevelBatch, device: str) -> Callable[[], None]:
    """Return a function that takes one joint iteration; the upper level steps when due.

    Finite differences (Betty's "darts") through both paths from the upper level, as in GenSeg.
    """
    problem, engine, interval = learner.problem, learner.engine, learner.config.upper_interval
    levels = {"lower": engine.lower, "middle": engine.middle, "upper": engine.upper}
    optimizers = {name: level.optimizer for name, level in levels.items()}
    settings = engine.middle.optimizer.param_groups[0]
    optimizers["middle"] = _AdamW(
        engine.middle.parameters, lr=settings["lr"], weight_decay=settings["weight_decay"]
    )

    def weights(name: str) -> list[torch.Tensor]:
        return list(problems[name].module.weights)

    def middle_loss() -> torch.Tensor:
        generated = problem.generate_batch(
            batch.blended, weights("lower"), weights("upper"), batch.seed
        )
        return problem.middle_loss(batch.real, batch.blended.labels, weights("middle"), generated)

    losses = {
        "lower": lambda: problem.lower_loss(batch, weights("lower"), weights("upper")),
        "middle": middle_loss,
        "upper": lambda: problem.upper_loss(batch.validation, weights("middle")),
    }
    problems = {
        name: Level(
            name,
            list(levels[name].parameters),
            optimizers[name],
            losses[name],
            Config(type="darts", unroll_steps=interval if name == "middle" else 1),
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
