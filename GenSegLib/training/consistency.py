"""Consistency regularization on unlabeled images by a mean teacher.

Mean teacher (Tarvainen and Valpola, NeurIPS 2017): the teacher is the moving average of the
segmenter and predicts an image as it is; the segmenter, the student, sees it deformed and with
changed intensities and must predict the teacher's probabilities, deformed alike. Uncertainty-aware
(Yu et al., MICCAI 2019): the teacher predicts several times, and the loss counts only voxels where
the entropy of the mean prediction is low.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

import torch
from torch.optim.swa_utils import AveragedModel

from ..augmentation.interpolation import sample, sample_with_midpoints
from ..augmentation.patches import AnyPatchSampler
from ..augmentation.policy import AugmentationPolicy, augment_intensity
from ..augmentation.random_generator import RandomGenerator
from ..augmentation.spatial import random_grid
from ..config import TrainConfig
from ..multilevel import TrilevelProblem
from ..multilevel.vectors import Tensors
from .losses import Logits, finest_level
from .problem import SegmentationProblem

TEACHER_PASSES = 4
_SMOOTH = 1e-4  # fraction of a patch's voxels
# Yu et al. have two classes, whose entropy is at most log 2: the entropy of a border between any
# two classes. Their threshold rises from 3/4 of it to all of it.
_MAX_ENTROPY = math.log(2)
_INITIAL_THRESHOLD = 0.75


def ramp_up(progress: float) -> float:
    """Return the sigmoid-shaped ramp-up exp(-5 (1 - x)^2) of both papers; 1 for x >= 1."""
    return math.exp(-5 * (1 - min(1.0, progress)) ** 2)


def certainty_mask(probabilities: torch.Tensor, progress: float) -> torch.Tensor:
    """Return where (b, 1, *s) the entropy of probabilities (b, class, *s) is low enough."""
    entropy = -torch.xlogy(probabilities, probabilities).sum(dim=1, keepdim=True)
    threshold = _INITIAL_THRESHOLD + (1 - _INITIAL_THRESHOLD) * ramp_up(progress)
    return (entropy < threshold * _MAX_ENTROPY).float()


def consistency_loss(logits: Logits, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the squared difference to target probabilities, relative to the size of each class.

    The papers average over all voxels, which depends on the amount of background in a patch. With
    the sum of squares of both in the denominator (as in Milletari et al., "V-Net", 3DV 2016) the
    loss is in [0, 1] for any anatomy, like the Dice loss.

    Args:
        logits: (batch, class, *shape); with deep supervision the finest level counts.
        target: probabilities (batch, class, *shape).
        mask: voxels (batch, 1, *shape) that count.
    """
    predicted = finest_level(logits).float().softmax(dim=1)
    axes = (0, *range(2, target.ndim))
    difference = (mask * (predicted - target).square()).sum(dim=axes)
    size = (mask * (predicted.square() + target.square())).sum(dim=axes)
    return (difference / (size + _SMOOTH * mask.numel()))[1:].mean()


@dataclass
class ConsistencyTerm:
    """The consistency loss of one step.

    Attributes:
        problem: its segmenter is the student.
        images: (b, c, *s), as the student sees them.
        target: the teacher's probabilities (b, class, *s), deformed like the images.
        mask: voxels (b, 1, *s) that count.
        weight: of the loss.
    """

    problem: SegmentationProblem
    images: torch.Tensor
    target: torch.Tensor
    mask: torch.Tensor
    weight: float
    _first: torch.Tensor | None = field(default=None, init=False)

    def loss(self, student: Tensors) -> torch.Tensor:
        """Return the weighted loss of a student with these weights."""
        logits = self.problem.segment(student, self.images)
        loss = consistency_loss(logits, self.target, self.mask)
        if self._first is None:
            self._first = loss.detach()
        return self.weight * loss

    def add_to(self, problem: TrilevelProblem) -> TrilevelProblem:
        """Return the trilevel problem with this term added to the middle loss."""
        loss = problem.middle_loss
        return dataclasses.replace(problem, middle_loss=lambda s, x: loss(s, x) + self.loss(s))

    def metrics(self) -> dict[str, float]:
        """Return the unweighted loss at its first evaluation, its weight and the mask's share."""
        assert self._first is not None
        return {
            "consistency_loss": float(self._first),
            "consistency_weight": self.weight,
            "consistency_share": float(self.mask.mean()),
        }


class MeanTeacher:
    """Samples unlabeled patches and predicts the student's targets.

    Args:
        config: settings.
        problem: its segmenter is the student.
        teacher: moving average of the segmenter.
        patches: sampler of unlabeled patches; their labels are ignored.
        policy: augmentation of the student's images.
        rng: random generator.
    """

    def __init__(
        self,
        config: TrainConfig,
        problem: SegmentationProblem,
        teacher: AveragedModel,
        patches: AnyPatchSampler,
        policy: AugmentationPolicy,
        rng: RandomGenerator,
    ) -> None:
        self.config, self.problem, self.teacher = config, problem, teacher
        self.patches, self.policy, self.rng = patches, policy, rng
        self.is_uncertainty_aware = config.consistency == "uncertainty-aware"

    @torch.no_grad()
    def sample(self, progress: float) -> ConsistencyTerm:
        """Sample the term of one step; ``progress`` is the fraction of the training done."""
        images, _ = self.patches.sample(self.rng, self.config.unlabeled_batch_size)
        aware = self.is_uncertainty_aware
        predicted = self._mean_prediction(images) if aware else self._predict(images)
        grid = random_grid(self.rng, len(images), tuple(images.shape[2:]), self.policy.spatial)
        images, target = sample_with_midpoints(images, grid), sample(predicted, grid)
        mask = certainty_mask(target, progress) if aware else torch.ones_like(target[:, :1])
        ramp = ramp_up(progress / max(1e-9, self.config.consistency_rampup))
        student_images = augment_intensity(images, self.policy, self.rng)
        weight = self.config.consistency_weight * ramp
        return ConsistencyTerm(self.problem, student_images, target, mask, weight)

    def _mean_prediction(self, images: torch.Tensor) -> torch.Tensor:
        """Return the teacher's mean prediction over copies with changed intensities.

        Yu et al. use dropout and noise; the segmenters here have no dropout.
        """
        copies = (augment_intensity(images, self.policy, self.rng) for _ in range(TEACHER_PASSES))
        return torch.stack([self._predict(copy) for copy in copies]).mean(dim=0)

    def _predict(self, images: torch.Tensor) -> torch.Tensor:
        weights = list(self.teacher.module.parameters())
        logits = finest_level(self.problem.segment(weights, images, self.teacher.module))
        return logits.float().softmax(dim=1)
