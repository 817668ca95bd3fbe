"""The upper-level variables beside the architecture: what generated pairs weigh and look like."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from ..augmentation.policy import CHANGES, Policy, changed, recolor
from ..augmentation.randomness import Randomness

# what can be frozen, and the parameter that then stays as it is
PARAMETERS = {
    "weight": "weight_logit",
    "residual": "residual_logit",
    "appearance": "log_strengths",
}


def share(logit: torch.Tensor) -> torch.Tensor:
    """Return a share in (0, 2) that is 1 where the logit is 0."""
    return 2 * torch.sigmoid(logit)


class UpperVariables(nn.Module):
    """Weight of the generated pairs, share of the residual, and strengths of appearance changes.

    Attributes:
        weight_logit: generated pairs weigh share(weight_logit), 1 at the start.
        residual_logit: likewise the share of the generator's residual.
        log_strengths: logarithms of the strengths of the changes of appearance, which start at
            the policy's.
        allowed: what a clinician's feedback leaves of these strengths; no optimizer changes it.
    """

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        strengths = {name: getattr(policy, name) for name in CHANGES}
        self.changes = tuple(name for name, strength in strengths.items() if strength > 0)
        self.weight_logit = nn.Parameter(torch.zeros(()))
        self.residual_logit = nn.Parameter(torch.zeros(()))
        self.policy = policy
        self.log_strengths = nn.Parameter(
            torch.tensor([math.log(strengths[name]) for name in self.changes])
        )
        self.allowed: torch.Tensor
        self.register_buffer("allowed", torch.ones(len(self.changes)))

    def weight(self) -> torch.Tensor:
        """Return the weight of the generated pairs, in (0, 2)."""
        return share(self.weight_logit)

    def forward(
        self, source: torch.Tensor, generated: torch.Tensor, rng: Randomness
    ) -> torch.Tensor:
        """Return generated images with their share of the residual and a changed appearance.

        The appearance changes as that of real images does, but for the learned strengths.
        """
        recolored = recolor(self.mixed(source, generated), self._learned(), rng)
        # where chance changes nothing in this process, it takes part in the others' gradients
        return recolored + 0 * self.log_strengths.sum()

    def mixed(self, source: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
        """Return generated images with their share of the residual.

        With shares above 1 they could leave the window that real images are in.
        """
        mixed = source + share(self.residual_logit) * (generated - source)
        return mixed.clamp(0, 1) if self.policy.bounded else mixed

    def changed(self, images: torch.Tensor, name: str, rng: Randomness) -> torch.Tensor:
        """Return images with one change of appearance."""
        return changed(images, name, self._learned(), rng)

    def allow(self, shares: Mapping[str, float]) -> None:
        """Leave these shares of the strengths, by the names of the changes."""
        for place, name in enumerate(self.changes):
            self.allowed[place] = shares[name]

    def _learned(self) -> Policy:
        return replace(self.policy, **dict(zip(self.changes, self._strengths())))

    def _strengths(self) -> torch.Tensor:
        return self.log_strengths.exp() * self.allowed

    def values(self) -> dict[str, float]:
        """Return every variable by its name, as the report shows them."""
        strengths = self._strengths().detach().tolist()
        return {
            "weight": float(self.weight().detach()),
            "residual": float(share(self.residual_logit.detach())),
            **dict(zip(self.changes, strengths)),
        }
