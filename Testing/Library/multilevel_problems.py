"""Multi-level problems whose hypergradients are known, or can be had exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch.func import functional_call

from GenSegLib.multilevel import Trilevel

LOWER_RATE, MIDDLE_RATE = 0.3, 0.2


@dataclass
class Quadratic:
    """Three quadratic problems with random positive definite curvature.

    lower 1/2 w'Aw - w'Ba, bridge Cw + Da, middle 1/2 s'Es - s'Fx, upper 1/2 |s-t|^2 + 1/2 |a|^2.
    """

    seed: int
    w_path: bool = True

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)

        def random(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, dtype=torch.double)

        def curvature(size: int) -> torch.Tensor:
            q, _ = torch.linalg.qr(random(size, size))
            return q @ torch.diag(torch.linspace(1.0, 2.0, size, dtype=torch.double)) @ q.T

        self.A, self.B = curvature(4), random(4, 3)
        self.C, self.D = random(5, 4) * float(self.w_path), random(5, 3)
        self.E, self.F = curvature(6), random(6, 5)
        self.t, self.a, self.w, self.s = random(6), random(3), random(4), random(6)

    def solve_lower_problems(self) -> None:
        self.w = torch.linalg.solve(self.A, self.B @ self.a)
        self.s = torch.linalg.solve(self.E, self.F @ (self.C @ self.w + self.D @ self.a))

    def trilevel(self) -> Trilevel:
        return Trilevel(
            lower=[self.w],
            middle=[self.s],
            upper=[self.a],
            lower_loss=lambda w, a: 0.5 * w[0] @ self.A @ w[0] - w[0] @ self.B @ a[0],
            bridge=lambda w, a: [self.C @ w[0] + self.D @ a[0]],
            middle_loss=lambda s, x: 0.5 * s[0] @ self.E @ s[0] - s[0] @ self.F @ x[0],
            upper_loss=lambda s, a: 0.5 * ((s[0] - self.t) ** 2).sum() + 0.5 * (a[0] ** 2).sum(),
            lower_rate=LOWER_RATE,
            middle_rate=MIDDLE_RATE,
        )

    def one_step_answer(self) -> torch.Tensor:
        """The hypergradient through one gradient step of each lower problem."""
        w = self.w - LOWER_RATE * (self.A @ self.w - self.B @ self.a)
        x = self.C @ w + self.D @ self.a
        s = self.s - MIDDLE_RATE * (self.E @ self.s - self.F @ x)
        follows = MIDDLE_RATE * self.F @ (LOWER_RATE * self.C @ self.B + self.D)
        return follows.T @ (s - self.t) + self.a

    def implicit_answer(self) -> torch.Tensor:
        """The hypergradient through the lower problems' exact solutions."""
        lower = torch.linalg.solve(self.A, self.B)
        follows = torch.linalg.solve(self.E, self.F @ (self.C @ lower + self.D))
        return follows.T @ (self.s - self.t) + self.a


def tiny_networks(seed: int) -> Trilevel:
    """A convolutional generator and segmenter in double precision; the upper level scales both."""
    torch.manual_seed(seed)
    generator = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1), torch.nn.Tanh(), torch.nn.Conv2d(4, 1, 3, padding=1)
    ).double()
    segmenter = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Tanh(), torch.nn.Conv2d(4, 2, 3, padding=1)
    ).double()
    masks = torch.rand(2, 2, 8, 8, dtype=torch.double).round()
    labels = masks[:, 0].long()
    real, held_back = (torch.rand(2, 1, 8, 8, dtype=torch.double) for _ in range(2))
    mixing = torch.randn(3, dtype=torch.double)

    def named(network: torch.nn.Module, tensors: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        names = [name for name, _ in network.named_parameters()]
        return dict(zip(names, tensors))

    def draw(w: list[torch.Tensor], a: list[torch.Tensor]) -> torch.Tensor:
        scaled = masks * torch.softmax(a[0], dim=0)[:2].reshape(1, 2, 1, 1)
        return functional_call(generator, named(generator, w), (scaled,))

    def segment(s: list[torch.Tensor], images: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(functional_call(segmenter, named(segmenter, s), (images,)), labels)

    return Trilevel(
        lower=list(generator.parameters()),
        middle=list(segmenter.parameters()),
        upper=[mixing],
        lower_loss=lambda w, a: ((draw(w, a) - real) ** 2).mean(),
        bridge=lambda w, a: [draw(w, a), torch.exp(a[0][2])],
        middle_loss=lambda s, x: segment(s, real) + x[1] * segment(s, x[0]),
        upper_loss=lambda s, a: segment(s, held_back),
        lower_rate=0.5,
        middle_rate=0.5,
    )
