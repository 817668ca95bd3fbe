"""One iteration of the trilevel optimization."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .hypergradients import Hypergradient, StepResult
from .problem import TrilevelProblem
from .signal import GradientSignal
from .vectors import Tensors, gradient, match_strides


@dataclass
class Level:
    """The parameters of one level and their optimizer.

    Attributes:
        parameters: see above.
        optimizer: see above.
        max_norm: gradients are clipped to this norm, all parameters together; None for no clipping.
    """

    parameters: Tensors
    optimizer: torch.optim.Optimizer
    max_norm: float | None = None

    def step(self, loss: torch.Tensor) -> float:
        """Take one optimizer step on a loss and return the value of the loss."""
        self.apply_gradients(gradient(loss, self.parameters))
        return float(loss.detach())

    def apply_gradients(self, gradients: Tensors) -> None:
        """Take one optimizer step with given gradients."""
        for parameter, grad in zip(self.parameters, gradients):
            parameter.grad = match_strides(grad, parameter)
        if self.max_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.max_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def match_state_strides(self) -> None:
        """Give the optimizer's state the strides of the parameters, after those have changed."""
        for parameter, state in self.optimizer.state.items():
            for name, tensor in state.items():
                if tensor.shape == parameter.shape:
                    state[name] = match_strides(tensor, parameter)


@dataclass
class Engine:
    """Alternates optimizer steps of the lower and middle levels with steps of the upper level.

    Attributes:
        lower, middle, upper: the three levels.
        hypergradient: method that computes the upper gradient; None keeps the upper level fixed.
        upper_interval: iterations per step of the upper level.
        signal: of the hypergradients so far.
    """

    lower: Level
    middle: Level
    upper: Level
    hypergradient: Hypergradient | None
    upper_interval: int
    signal: GradientSignal = field(default_factory=GradientSignal)

    def iterate(self, step: int, problem: TrilevelProblem) -> dict[str, float]:
        """Take a step of the lower and middle levels and, when due, one of the upper level.

        Args:
            step: index of the iteration, from 0.
            problem: the losses on the batches of this iteration.

        Returns:
            The losses of the lower and middle levels.
        """
        is_due = self.hypergradient is not None and (step + 1) % self.upper_interval == 0
        before = problem.snapshot() if is_due else problem
        lower = self.lower.step(problem.lower_loss(problem.lower, problem.upper))
        with torch.set_grad_enabled(is_due):
            generated = problem.generate(problem.lower, problem.upper)
        fixed = [tensor.detach() for tensor in generated]  # W and a get no gradient of this step
        middle = self.middle.step(problem.middle_loss(problem.middle, fixed))
        if is_due and self.hypergradient is not None:
            after = StepResult(problem.lower, problem.middle, problem.upper, generated)
            gradients = self.hypergradient(before, after)
            self.signal.update(gradients)
            self.upper.apply_gradients(gradients)
        return {"lower": lower, "middle": middle}
