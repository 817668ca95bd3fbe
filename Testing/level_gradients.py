"""What each level of a problem of three levels follows by itself."""

from __future__ import annotations

import torch

from GenSegLib.multilevel import Trilevel
from GenSegLib.multilevel.levels import gradient


def lower(problem: Trilevel) -> list[torch.Tensor]:
    return gradient(problem.lower_loss(problem.lower, problem.upper), problem.lower)


def middle(problem: Trilevel) -> list[torch.Tensor]:
    bridge = [tensor.detach() for tensor in problem.bridge(problem.lower, problem.upper)]
    return gradient(problem.middle_loss(problem.middle, bridge), problem.middle)


def upper(problem: Trilevel) -> list[torch.Tensor]:
    return gradient(problem.upper_loss(problem.middle, problem.upper), problem.middle)
