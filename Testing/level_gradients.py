"""The gradient that each level of a trilevel problem follows."""

from __future__ import annotations

import torch

from GenSegLib.multilevel import TrilevelProblem
from GenSegLib.multilevel.vectors import gradient


def lower(problem: TrilevelProblem) -> list[torch.Tensor]:
    return gradient(problem.lower_loss(problem.lower, problem.upper), problem.lower)


def middle(problem: TrilevelProblem) -> list[torch.Tensor]:
    generated = [tensor.detach() for tensor in problem.generate(problem.lower, problem.upper)]
    return gradient(problem.middle_loss(problem.middle, generated), problem.middle)


def upper(problem: TrilevelProblem) -> list[torch.Tensor]:
    return gradient(problem.upper_loss(problem.middle, problem.upper), problem.middle)
