"""The engine: one joint iteration over three levels, on one page."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .hypergradients import Hypergradient, Reached
from .levels import Tensors, Trilevel, gradient, lying_as


@dataclass
class Level:
    """The parameters of one problem and the optimizer that moves them."""

    parameters: Tensors
    optimizer: torch.optim.Optimizer

    def descend(self, loss: torch.Tensor) -> float:
        """Take one optimizer step down ``loss`` and return its value."""
        self.follow(gradient(loss, self.parameters))
        return float(loss.detach())

    def follow(self, gradients: Tensors) -> None:
        """Take one optimizer step along the given gradients."""
        for parameter, found in zip(self.parameters, gradients):
            parameter.grad = lying_as(found, parameter)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def lay_state(self) -> None:
        """Let what the optimizer keeps of the parameters lie in memory as they do now."""
        for parameter, kept in self.optimizer.state.items():
            for name, tensor in kept.items():
                if tensor.shape == parameter.shape:
                    kept[name] = lying_as(tensor, parameter)


@dataclass
class Engine:
    """Alternates optimizer steps of the lower and middle problems with upper-level steps.

    Attributes:
        lower, middle, upper: the three levels.
        hypergradient: how the upper gradient is found; None leaves the upper level as it is.
        upper_every: iterations between two upper-level steps.
        looks_back: the hypergradient goes through the steps just taken of the lower problems,
            whose passes it shares, instead of through one more of each.
    """

    lower: Level
    middle: Level
    upper: Level
    hypergradient: Hypergradient | None
    upper_every: int
    looks_back: bool = False

    def iterate(self, step: int, problem: Trilevel) -> dict[str, float]:
        """Take one step of both lower problems and, when it is due, one of the upper level.

        Args:
            step: the number of this iteration, from 0.
            problem: the three losses on this iteration's batches.

        Returns:
            The losses of this iteration.
        """
        is_due = self.hypergradient is not None and (step + 1) % self.upper_every == 0
        looks_back = is_due and self.looks_back
        before = problem.copied() if looks_back else problem
        lower = self.lower.descend(problem.lower_loss(problem.lower, problem.upper))
        with torch.set_grad_enabled(looks_back):
            bridge = problem.bridge(problem.lower, problem.upper)
        # with nothing to be learned on the other side of the bridge
        crossing = [tensor.detach() for tensor in bridge]
        middle = self.middle.descend(problem.middle_loss(problem.middle, crossing))
        if is_due and self.hypergradient is not None:
            reached = Reached(problem.lower, problem.middle, problem.upper, bridge)
            shared = {"reached": reached} if looks_back else {}
            self.upper.follow(self.hypergradient(before, **shared))
        return {"lower": lower, "middle": middle}
