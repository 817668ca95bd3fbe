"""What a segmenter learns from scans without a segmentation: to find the same in them twice.

Mean teacher (Tarvainen and Valpola, "Mean teachers are better role models", NeurIPS 2017): the
teacher is the moving average of the segmenter's weights and sees a scan as it is; the segmenter,
the student, sees it deformed and recolored, and is to find what the teacher found, deformed alike.
Uncertainty-aware (Yu et al., "Uncertainty-aware self-ensembling model", MICCAI 2019): the teacher
looks several times and the student follows only where the mean of what it says is sure.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

import torch

from ..augmentation.interpolation import sample, sample_finely
from ..augmentation.patches import Patches
from ..augmentation.policy import Policy, recolor
from ..augmentation.randomness import Randomness
from ..augmentation.spatial import random_grid
from ..computing.distributed import count, share_of, summed
from ..config import TrainConfig
from ..multilevel import Trilevel
from ..multilevel.levels import Tensors
from .averages import Average
from .problem import SegmentationProblem

LOOKS = 4
_SMOOTH = 1e-4  # of a patch's voxels: what is less of a class hardly counts
# The entropy where two classes are equally likely, as anywhere on a border, is the most that Yu et
# al. know, who have two classes; of that they trust what is below 3/4 at first and 1 at the end.
_MOST_ENTROPY = math.log(2)
_TRUSTED_AT_FIRST = 0.75


def ramp_up(done: float) -> float:
    """Return the sigmoid-shaped rise of both papers, exp(-5 (1 - x)^2), 1 from ``done`` = 1 on."""
    return math.exp(-5 * (1 - min(1.0, done)) ** 2)


def trusted(probabilities: torch.Tensor, done: float) -> torch.Tensor:
    """Return where (b, 1, *s) the entropy of probabilities (b, class, *s) is low enough."""
    entropy = -torch.xlogy(probabilities, probabilities).sum(dim=1, keepdim=True)
    share = _TRUSTED_AT_FIRST + (1 - _TRUSTED_AT_FIRST) * ramp_up(done)
    return (entropy < share * _MOST_ENTROPY).float()


def consistency_loss(
    logits: torch.Tensor, wanted: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Return the squared difference from wanted probabilities, relative to each class's size.

    The papers take the mean over all voxels, which depends on how much background a patch has; the
    sum of squares of both outputs in the denominator (as in Milletari et al., "V-Net", 3DV 2016)
    makes it a number from 0 to 1 for any anatomy, as the Dice loss beside it is.

    Args:
        logits: (batch, class, *shape), or (batch, level, class, *shape) under deep supervision,
            of which the finest level counts.
        wanted: probabilities (batch, class, *shape).
        mask: the voxels (batch, 1, *shape) that count.
    """
    if logits.ndim > wanted.ndim:
        logits = logits[:, 0]
    found = logits.float().softmax(dim=1)
    axes = (0, *range(2, wanted.ndim))
    apart = (mask * (found - wanted).square()).sum(dim=axes)
    size = (mask * (found.square() + wanted.square())).sum(dim=axes)
    apart, size = summed(torch.stack([apart, size]))  # of the whole batch
    return (apart / (size + _SMOOTH * mask.numel() * count()))[1:].mean()


@dataclass
class Term:
    """What the unlabeled scans of one step add to the segmenter's loss.

    Attributes:
        problem: whose segmenter is the student.
        images: (b, c, *s), as the student sees them.
        wanted: the teacher's probabilities (b, class, *s) there.
        mask: the voxels (b, 1, *s) that count.
        weight: of the term.
    """

    problem: SegmentationProblem
    images: torch.Tensor
    wanted: torch.Tensor
    mask: torch.Tensor
    weight: float
    _first: torch.Tensor | None = field(default=None, init=False)

    def loss(self, student: Tensors) -> torch.Tensor:
        """Return the weighted loss of a student with these weights."""
        found = consistency_loss(self.problem.segment(student, self.images), self.wanted, self.mask)
        if self._first is None:
            self._first = found.detach()
        return self.weight * found

    def added_to(self, problem: Trilevel) -> Trilevel:
        """Return the three levels with this term in the middle one."""
        loss = problem.middle_loss
        return dataclasses.replace(
            problem, middle_loss=lambda s, bridge: loss(s, bridge) + self.loss(s)
        )

    def metrics(self) -> dict[str, float]:
        """Return how far the student was off when it was first asked, without the weight."""
        assert self._first is not None
        return {
            "consistency_loss": float(self._first),
            "consistency_weight": self.weight,
            "consistency_share": float(self.mask.mean()),
        }


class Consistency:
    """Draws unlabeled patches, and what the teacher finds in them.

    Args:
        config: the settings.
        problem: whose segmenter is the student.
        teacher: the average of its weights.
        patches: of the unlabeled scans; their labels are not looked at.
        policy: how the student's copies are changed.
        rng: where everything is drawn from.
    """

    def __init__(
        self,
        config: TrainConfig,
        problem: SegmentationProblem,
        teacher: Average,
        patches: Patches,
        policy: Policy,
        rng: Randomness,
    ) -> None:
        self.config, self.problem, self.teacher = config, problem, teacher
        self.patches, self.policy, self.rng = patches, policy, rng
        self.is_aware = config.consistency == "uncertainty-aware"

    @torch.no_grad()
    def draw(self, passed: float) -> Term:
        """Draw the term of one step; ``passed`` is the share of the training that is over."""
        batch = share_of(self.config.unlabeled_batch_size, "unlabeled_batch_size")
        images, _ = self.patches.draw(self.rng, batch)
        found = self._seen_often(images) if self.is_aware else self._seen(images)
        grid = random_grid(self.rng, len(images), tuple(images.shape[2:]), self.policy.spatial)
        images, wanted = sample_finely(images, grid), sample(found, grid)
        done = passed / max(1e-9, self.config.consistency_ramp)
        mask = trusted(wanted, passed) if self.is_aware else torch.ones_like(wanted[:, :1])
        weight = self.config.consistency_weight * ramp_up(done)
        return Term(self.problem, recolor(images, self.policy, self.rng), wanted, mask, weight)

    def _seen_often(self, images: torch.Tensor) -> torch.Tensor:
        """Return the mean of what the teacher says to differently colored copies.

        The segmenters have no dropout, which Yu et al. draw from, beside noise on the images.
        """
        looks = [self._seen(recolor(images, self.policy, self.rng)) for _ in range(LOOKS)]
        return torch.stack(looks).mean(dim=0)

    def _seen(self, images: torch.Tensor) -> torch.Tensor:
        """Return the teacher's probabilities."""
        segmenter = self.problem.segmenter
        segmenter.eval()
        try:
            logits = self.problem.segment(self.teacher.tensors, images)
        finally:
            segmenter.train()
        return logits.float().softmax(dim=1)
