"""Trilevel problems with known hypergradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.func import functional_call

from GenSegLib.multilevel import TrilevelProblem

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


def tiny_networks(seed: int) -> TrilevelProblem:
    """A convolutional generator and segmenter in double precision; the upper level scales both."""
    torch.manual_seed(seed)

    def network(*channels: int) -> torch.nn.Module:
        first, inner, last = channels
        convolutions = [
            torch.nn.Conv2d(*sizes, 3, padding=1) for sizes in ((first, inner), (inner, last))
        ]
        return torch.nn.Sequential(convolutions[0], torch.nn.Tanh(), convolutions[1]).double()

    generator, segmenter = network(2, 4, 1), network(1, 4, 2)
    masks = torch.rand(2, 2, 8, 8, dtype=torch.double).round()
    labels = masks[:, 0].long()
    real, validation = (torch.rand(2, 1, 8, 8, dtype=torch.double) for _ in range(2))
    mixing = torch.randn(3, dtype=torch.double)

    def forward(
        network: torch.nn.Module, tensors: list[torch.Tensor], x: torch.Tensor
    ) -> torch.Tensor:
        names = [name for name, _ in network.named_parameters()]
        return functional_call(network, dict(zip(names, tensors)), (x,))

    def generate(w: list[torch.Tensor], a: list[torch.Tensor]) -> torch.Tensor:
        mixed = masks * torch.softmax(a[0], dim=0)[:2].reshape(1, 2, 1, 1)
        return forward(generator, w, mixed)

    def loss(s: list[torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(forward(segmenter, s, images), labels)

    return TrilevelProblem(
        lower=list(generator.parameters()),
        middle=list(segmenter.parameters()),
        upper=[mixing],
        lower_loss=lambda w, a: ((generate(w, a) - real) ** 2).mean(),
        generate=lambda w, a: [generate(w, a), torch.exp(a[0][2])],
        middle_loss=lambda s, x: loss(s, real) + x[1] * loss(s, x[0]),
        upper_loss=lambda s, a: loss(s, validation),
        lower_step_size=0.5,
        middle_step_size=0.5,
    )
