"""What each level of a training sees: real pairs, held-back ones, and masks to generate from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..augmentation.morphs import Morphs, Pairs
from ..augmentation.patches import MixedPatches, Patches, PatchSampler
from ..augmentation.policy import Policy, augment
from ..augmentation.randomness import Randomness
from ..augmentation.spatial import SpatialStrength
from ..augmentation.subject import LabeledCase
from ..config import TrainConfig
from ..feedback import Feedback
from ..presets import Preset
from .problem import Batches, LowerBatches


@dataclass(frozen=True)
class FinalBatches:
    """What the final phase sees in a step: real pairs, new masks, and the seed of their images."""

    real: tuple[torch.Tensor, torch.Tensor]
    pairs: Pairs
    seed: int


class Sampling:
    """Draws the batches of a training.

    Args:
        config: the settings.
        policy: how real pairs are augmented, and masks deformed.
        subjects: training cases, then validation cases.
        training: how many of the subjects, the first ones, are training cases.
        classes: classes, background included.
        preset: the anatomy's.
        rng: where everything is drawn from.
    """

    def __init__(
        self,
        config: TrainConfig,
        policy: Policy,
        subjects: Sequence[LabeledCase],
        training: int,
        classes: int,
        preset: Preset,
        rng: Randomness,
    ) -> None:
        self.config, self.policy, self.classes, self.rng = config, policy, classes, rng
        self.names = [subject.name for subject in subjects]
        self._training = range(training)
        self._real = patches_of(subjects[:training], preset)
        self._all_real = patches_of(subjects, preset)
        held_back = subjects[training:]
        self._held_back = patches_of(held_back, preset) if held_back else self._real
        if config.generator != "none":
            # of its own, since the registration is to depend on the seed alone
            own = Randomness(torch.Generator().manual_seed(config.seed), rng.device)
            self._registered = Morphs(
                subjects, classes, preset.patch_size, own, coordinates=preset.coordinates
            )
            self.follow(Feedback())

    def follow(self, feedback: Feedback) -> None:
        """Leave out the pairs, and weaken the changes, that a clinician rejected."""
        places = {name: place for place, name in enumerate(self.names)}
        known = [pair for pair in feedback.pairs if pair <= set(self.names)]
        rejected = {frozenset(places[name] for name in pair) for pair in known}
        self.all_morphs = self._registered.among(range(len(self.names)), rejected)
        self.morphs = self._registered.among(self._training, rejected)
        self.blended_share = self.config.blended_share * feedback.strength("blending")
        # as published, new masks are as affine where real pairs are not augmented at all
        affine = self.config.masks == "affine"
        spatial = SpatialStrength(elastic=0.0) if affine else self.policy.spatial
        self.spatial = spatial.scaled(feedback.strength("deformation"))

    def real(self, *, held_back: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw augmented real pairs of the training cases, or of all cases."""
        sampler = self._all_real if held_back else self._real
        images, labels = sampler.draw(self.rng, self.config.batch_size)
        return augment(images, labels, self.classes, self.policy, self.rng)

    def blends(self, *, held_back: bool) -> Pairs:
        """Draw new masks of and between training cases, or all cases."""
        morphs = self.all_morphs if held_back else self.morphs
        count = self.config.generated_batch_size
        return morphs.blends(self.rng, count, self.spatial, self.blended_share)

    @torch.no_grad()
    def lower_batches(self) -> LowerBatches:
        """Draw one iteration's data for the lower level alone."""
        return LowerBatches(self._pairs_to_draw(), self.seed())

    @torch.no_grad()
    def batches(self) -> Batches:
        """Draw one iteration's data for all three levels."""
        return Batches(
            lower=self._pairs_to_draw(),
            middle=self.real(held_back=False),
            blends=self.blends(held_back=False),
            upper=self._held_back.draw(self.rng, self.config.batch_size),
            seed=self.seed(),
        )

    @torch.no_grad()
    def final_batches(self) -> FinalBatches:
        """Draw a step's data of all cases, the held-back ones included."""
        return FinalBatches(self.real(held_back=True), self.blends(held_back=True), self.seed())

    def _pairs_to_draw(self) -> Pairs:
        """Draw real pairs, for the generator to draw from others."""
        return self.morphs.real_pairs(self.rng, self.config.generated_batch_size)

    def seed(self) -> int:
        """Draw a seed for what is to be repeated exactly."""
        return self.rng.integers(2**31 - 2, 1)[0]


def patches_of(subjects: Sequence[LabeledCase], preset: Preset) -> Patches:
    """Return what draws patches of these cases, at both spacings where the preset has two."""
    sizes = (preset.patch_size, preset.foreground_share)
    fine = PatchSampler(subjects, *sizes)
    coarse = [subject.coarse for subject in subjects if subject.coarse is not None]
    return MixedPatches(fine, PatchSampler(coarse, *sizes), preset.coarse_share) if coarse else fine
