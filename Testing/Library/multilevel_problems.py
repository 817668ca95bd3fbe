"""Trilevel problems with known hypergradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.func import functional_call

from GenSegLib.multilevel import TrilevelProblem
from GenSegLib.multilevel.hypergradients import StepResult
from GenSegLib.multilevel.vectors import Tensors, add_scaled, gradient, leaves, scale
from GenSegLib.training.losses import dice_loss

LOWER_STEP, MIDDLE_STEP = 0.3, 0.2


@dataclass
class Quadratic:
    """Three quadratic problems with random positive definite Hessians.

    lower 1/2 w'Aw - w'Ba, generated x = Cw + Da, middle 1/2 s'Es - s'Fx,
    upper 1/2 |s-t|^2 + 1/2 |a|^2.
    """

    seed: int
    lower_path: bool = True

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)

        def random(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, dtype=torch.double)

        def hessian(size: int) -> torch.Tensor:
            q, _ = torch.linalg.qr(random(size, size))
            return q @ torch.diag(torch.linspace(1.0, 2.0, size, dtype=torch.double)) @ q.T

        self.A, self.B = hessian(4), random(4, 3)
        self.C, self.D = random(5, 4) * float(self.lower_path), random(5, 3)
        self.E, self.F = hessian(6), random(6, 5)
        self.t, self.a, self.w, self.s = random(6), random(3), random(4), random(6)

    def solve_lower_problems(self) -> None:
        self.w = torch.linalg.solve(self.A, self.B @ self.a)
        self.s = torch.linalg.solve(self.E, self.F @ (self.C @ self.w + self.D @ self.a))

    def trilevel(self) -> TrilevelProblem:
        return TrilevelProblem(
            lower=[self.w],
            middle=[self.s],
            upper=[self.a],
            lower_loss=lambda w, a: 0.5 * w[0] @ self.A @ w[0] - w[0] @ self.B @ a[0],
            generate=lambda w, a: [self.C @ w[0] + self.D @ a[0]],
            middle_loss=lambda s, x: 0.5 * s[0] @ self.E @ s[0] - s[0] @ self.F @ x[0],
            upper_loss=lambda s, a: 0.5 * ((s[0] - self.t) ** 2).sum() + 0.5 * (a[0] ** 2).sum(),
            lower_step_size=LOWER_STEP,
            middle_step_size=MIDDLE_STEP,
        )

    def one_step_hypergradient(self) -> torch.Tensor:
        """The hypergradient through one gradient step of each lower problem."""
        w = self.w - LOWER_STEP * (self.A @ self.w - self.B @ self.a)
        x = self.C @ w + self.D @ self.a
        s = self.s - MIDDLE_STEP * (self.E @ self.s - self.F @ x)
        response = MIDDLE_STEP * self.F @ (LOWER_STEP * self.C @ self.B + self.D)
        return response.T @ (s - self.t) + self.a

    def implicit_hypergradient(self) -> torch.Tensor:
        """The hypergradient through the exact solutions of the lower problems."""
        lower = torch.linalg.solve(self.A, self.B)
        response = torch.linalg.solve(self.E, self.F @ (self.C @ lower + self.D))
        return response.T @ (self.s - self.t) + self.a


def gradient_step(problem: TrilevelProblem) -> StepResult:
    """Take a gradient step of the lower and middle levels on copies of their parameters."""
    upper, at = leaves(problem.upper), leaves(problem.lower)
    step = scale(gradient(problem.lower_loss(at, upper), at), problem.lower_step_size)
    lower = leaves(add_scaled(problem.lower, step, -1.0))
    generated = problem.generate(lower, upper)
    fixed, at = [tensor.detach() for tensor in generated], leaves(problem.middle)
    step = scale(gradient(problem.middle_loss(at, fixed), at), problem.middle_step_size)
    return StepResult(lower, add_scaled(problem.middle, step, -1.0), upper, generated)


def tiny_networks(seed: int) -> TrilevelProblem:
    """A generator and a segmenter with batch Dice in double precision, on 4 samples.

    The upper level mixes the masks and weights the generated images.
    """
    torch.manual_seed(seed)

    def network(*channels: int) -> torch.nn.Module:
        first, inner, last = channels
        return torch.nn.Sequential(
            torch.nn.Conv2d(first, inner, 3, padding=1),
            torch.nn.Tanh(),
            torch.nn.Conv2d(inner, last, 3, padding=1),
        ).double()

    generator, segmenter = network(2, 4, 1), network(1, 4, 2)
    masks = torch.rand(4, 2, 8, 8, dtype=torch.double).round()
    real, validation = torch.rand(2, 4, 1, 8, 8, dtype=torch.double)
    mixing = torch.randn(3, dtype=torch.double).requires_grad_()

    def forward(network: torch.nn.Module, weights: Tensors, images: torch.Tensor) -> torch.Tensor:
        names = [name for name, _ in network.named_parameters()]
        parameters = dict(zip(names, weights))
        output: torch.Tensor = functional_call(network, parameters, (images,))
        return output

    def generate(w: Tensors, a: Tensors) -> torch.Tensor:
        mix = torch.softmax(a[0], dim=0)[:2]
        return forward(generator, w, masks * mix.reshape(1, 2, 1, 1))

    def loss(s: Tensors, images: torch.Tensor) -> torch.Tensor:
        logits = forward(segmenter, s, images)
        return dice_loss(torch.softmax(logits, 1), masks) + F.cross_entropy(logits, masks)

    def generated_weight(a: Tensors) -> torch.Tensor:
        return torch.exp(a[0][2])

    return TrilevelProblem(
        lower=list(generator.parameters()),
        middle=list(segmenter.parameters()),
        upper=[mixing],
        lower_loss=lambda w, a: ((generate(w, a) - real) ** 2).mean(),
        generate=lambda w, a: [generate(w, a), generated_weight(a)],
        middle_loss=lambda s, x: loss(s, real) + x[1] * loss(s, x[0]),
        upper_loss=lambda s, a: loss(s, validation),
        lower_step_size=0.5,
        middle_step_size=0.5,
    )
