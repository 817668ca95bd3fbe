"""Batches of a training: real pairs, validation pairs, and masks of generated pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch

from ..augmentation.batch_transplants import transplant_lesions
from ..augmentation.copy_paste import copy_paste
from ..augmentation.growth import grow_classes
from ..augmentation.interpolation import sample_with_midpoints
from ..augmentation.pairs import PairBatch, PairSampler
from ..augmentation.patches import (
    AnyPatchSampler,
    MixedSpacingSampler,
    PatchSampler,
    SliceSampler,
    fine_sampler,
    patch_margin,
)
from ..augmentation.policy import AugmentationPolicy, augment
from ..augmentation.random_generator import RandomGenerator
from ..augmentation.regions import find_regions
from ..augmentation.spatial import SpatialStrength, random_grid
from ..augmentation.transplants import TransplantSampler, flat_case
from ..config import TrainConfig
from ..data.label_sets import LabelSets
from ..data.training_case import PatchSource, TrainingCase
from ..feedback import Feedback
from ..networks.dual_normalization import mark_recolored
from ..networks.generators import GENERATORS
from ..presets import Preset
from .batches import FinalBatch, GeneratorBatch, Pair, TrilevelBatch
from .pseudo_labels import RelabeledCase
from .recoloring import Recoloring, build_recoloring


class BatchSampler:
    """Samples the batches of a training.

    Args:
        config: settings.
        policy: augmentation of real pairs and of masks.
        cases: training cases, then validation cases.
        training_count: number of training cases.
        classes: number of classes, background included.
        preset: the task's preset.
        rng: random generator.
        unlabeled: unlabeled cases, whose contrasts recolored images get.
        sets: meaning of labels beyond the classes; None if there are none.
    """

    def __init__(
        self,
        config: TrainConfig,
        policy: AugmentationPolicy,
        cases: Sequence[TrainingCase],
        training_count: int,
        classes: int,
        preset: Preset,
        rng: RandomGenerator,
        unlabeled: Sequence[TrainingCase] = (),
        sets: LabelSets | None = None,
    ) -> None:
        self.config, self.policy, self.classes, self.rng = config, policy, classes, rng
        self._values = classes if sets is None else sets.values
        self.names = [case.name for case in cases]
        self._training = range(training_count)
        self._preset = preset
        self.recoloring: Recoloring | None = None
        sources: Sequence[PatchSource] = cases
        if config.generator == "regions":
            sources, self.recoloring = build_recoloring(
                config, preset, cases, unlabeled, rng.device, classes
            )
        is_for_lesions = config.generator == "regions" and preset.lesions
        transplants = config.generator == "transplants" or is_for_lesions
        self._transplanted_fraction = config.transplanted_fraction if transplants else 0.0
        self._training_patches = patch_sampler(sources[:training_count], preset, with_margin=True)
        self._all_patches = patch_sampler(sources, preset, with_margin=True)
        validation = sources[training_count:]
        self._validation_patches = patch_sampler(validation or sources[:training_count], preset)
        self._unlabeled_cases = unlabeled
        self._unlabeled: Sequence[RelabeledCase] = ()  # under predicted labels
        self._unlabeled_images: AnyPatchSampler | None = None  # for the discriminator
        self._use_images(unlabeled)
        if config.has_generator:
            # a generator of its own, so that the registration depends on the seed alone
            own = RandomGenerator(config.seed, rng.device)
            sees_regions = GENERATORS[config.generator].sees_regions
            self._registered = pair_sampler(
                cases, classes, preset, own, sets, with_regions=sees_regions
            )
            self.apply_feedback(Feedback())

    def apply_feedback(self, feedback: Feedback) -> None:
        """Exclude the pairs of cases, and weaken the kinds of change, that were rejected."""
        index = {name: k for k, name in enumerate(self.names)}
        known = [pair for pair in feedback.pairs if pair <= set(self.names)]
        rejected = {frozenset(index[name] for name in pair) for pair in known}
        self.all_pairs = self._registered.subset(range(len(self.names)), rejected)
        self.training_pairs = self._registered.subset(self._training, rejected)
        self.blended_fraction = self.config.blended_fraction * feedback.strength("blending")
        # as in the publication, masks have affine transforms even if real pairs are not augmented
        is_affine = self.config.mask_transform == "affine"
        spatial = SpatialStrength(elastic=0.0) if is_affine else self.policy.spatial
        self.spatial = spatial.scaled(feedback.strength("deformation"))

    def real(self, *, include_validation: bool) -> Pair:
        """Sample augmented real pairs of the training cases, or of all cases."""
        labeled = self._all_patches if include_validation else self._training_patches
        count, size = self.config.batch_size, self._preset.patch_size
        others = self._unlabeled_count()
        first = count - others
        parts, policy = [], self.policy
        is_recolored = torch.zeros(0, dtype=torch.bool, device=self.rng.device)
        if first:
            pair, is_recolored = self._recolored(*labeled.sample(self.rng, first))
            parts.append(pair)
        if others:
            parts.append(self._unlabeled_patches.sample(self.rng, others))
        if self.recoloring is not None:
            policy = policy.scaled(self.recoloring.distribution.augmentation)
        images, labels = (torch.cat(part) for part in zip(*parts))
        change = partial(self._transplant, fraction=self._transplanted_fraction, rng=self.rng)
        images, labels = augment(images, labels, self._values, policy, self.rng, size, change)
        # half a patient of another modality within an image: too much for short training runs
        if self.config.target_scanner or not 0 < first < count:
            return self._marked(images, is_recolored), labels
        halves = ((images[:first], labels[:first]), (images[first:], labels[first:]))
        return copy_paste(*halves, self.rng)

    def _recolored(
        self, originals: torch.Tensor, labels: torch.Tensor
    ) -> tuple[Pair, torch.Tensor]:
        """Return real pairs, some with other contrasts and sizes, and which are recolored."""
        if self.recoloring is None:
            return (originals, labels), torch.zeros(len(originals), dtype=torch.bool)
        images, labels = self.recoloring(originals, labels, self.rng)
        is_recolored = (images != originals).flatten(1).any(1)
        growth, spacing = self.recoloring.distribution.growth, self.policy.spatial.spacing
        pair = grow_classes(images, labels, self.classes, self._values, growth, self.rng, spacing)
        return pair, is_recolored

    def _marked(self, images: torch.Tensor, is_recolored: torch.Tensor) -> torch.Tensor:
        """Mark recolored samples, and unlabeled ones after them, which may be of other scanners.

        Not beside pairs of a generator, which have no mark and show the training's own scanner.
        """
        if not self.config.has_dual_normalization or self.config.has_generator:
            return images
        unlabeled = is_recolored.new_ones(len(images) - len(is_recolored))
        return mark_recolored(images, torch.cat([is_recolored, unlabeled]))

    def set_unlabeled(self, cases: Sequence[RelabeledCase]) -> None:
        """Use these unlabeled cases under predicted labels from now on, and no others.

        They take part in batches and views, and give contrasts and styles; the discriminator sees
        their images. If there are none, images of other scanners give these without labels.
        """
        self._unlabeled = cases
        are_unlabeled = not cases and self.config.target_scanner > 0
        self._use_images(self._unlabeled_cases if are_unlabeled else cases)
        if cases and self.config.learns_from_unlabeled:
            self._unlabeled_patches = patch_sampler(cases, self._preset, with_margin=True)
        if self.recoloring is None:
            return
        if are_unlabeled:
            self.recoloring.appearance.targets = self.recoloring.clusters
        else:
            self.recoloring.set_targets(cases, self.config.seed, self.classes)
        if cases:
            self._unlabeled_views = patch_sampler(cases, self._preset)

    def _use_images(self, cases: Sequence[PatchSource]) -> None:
        """Use the images of unlabeled cases, whatever they show."""
        is_used = self.recoloring is not None or self.config.discriminates_generated
        patches = (
            patch_sampler(cases, self._preset, with_margin=True) if cases and is_used else None
        )
        if self.recoloring is not None:
            self.recoloring.donors = patches
        self._unlabeled_images = patches if self.config.discriminates_generated else None

    def _unlabeled_count(self) -> int:
        """Return the number of unlabeled samples of a batch, at random if it is a fraction."""
        if not self._unlabeled:
            return 0
        return int(self.config.unlabeled_fraction * self.config.batch_size + self.rng.uniform(1))

    def validation(self) -> Pair:
        """Sample pairs of validation cases, or of training cases if there are none."""
        images, labels = self._validation_patches.sample(self.rng, self.config.batch_size)
        return images, labels[:, :1]  # without the regions of the generator "regions"

    def validation_views(
        self, rng: RandomGenerator, other_scanner: float
    ) -> list[tuple[float, torch.Tensor, torch.Tensor]]:
        """Sample what the upper level is measured on: weights, images, labels.

        These are patches of validation cases as they are, the same as another scanner might show
        them, and patches of unlabeled cases under predicted labels. Only with the generator
        "regions".

        Args:
            rng: random generator.
            other_scanner: weight of the latter two.
        """
        assert self.recoloring is not None
        count = self.config.batch_size
        images, labels = self._validation_patches.sample(rng, count)
        shifted, labels = self.recoloring(images, labels, rng, self.recoloring.other_scanner)
        weight = other_scanner / 2 if self._unlabeled else other_scanner
        views = [(1 - other_scanner, images, labels), (weight, shifted, labels)]
        if self._unlabeled:
            views.append((weight, *self._unlabeled_views.sample(rng, count)))
        return views

    @property
    def changes_real_pairs(self) -> bool:
        """Whether pairs are generated from real ones without a network."""
        return self.recoloring is not None or self._transplanted_fraction > 0

    def changed_pairs(self, rng: RandomGenerator, count: int) -> Pair:
        """Sample pairs of all cases, all of them recolored and with transplanted lesions.

        Each is done only if it is a part of the training. They have the fine spacing.
        """
        images, labels = fine_sampler(self._all_patches).sample(rng, count)
        if self.recoloring is not None:
            distribution = replace(self.recoloring.distribution, fraction=1.0)
            images, labels = self.recoloring(images, labels, rng, distribution)
        fraction = 1.0 if self._transplanted_fraction else 0.0
        return self._transplant(images, labels, fraction, rng)

    def _transplant(
        self, images: torch.Tensor, labels: torch.Tensor, fraction: float, rng: RandomGenerator
    ) -> Pair:
        if not fraction:
            return images, labels
        spacing = self.policy.spatial.spacing
        return transplant_lesions(images, labels, self.classes, fraction, rng, spacing)

    def blended(self, *, include_validation: bool) -> PairBatch:
        """Sample new masks of and between the training cases, or all cases."""
        pairs = self.all_pairs if include_validation else self.training_pairs
        count = self.config.generated_batch_size
        return pairs.blended_pairs(self.rng, count, self.spatial, self.blended_fraction)

    @torch.no_grad()
    def generator_batch(self) -> GeneratorBatch:
        """Sample the data of a step of the generator alone."""
        count = self.config.generated_batch_size
        return GeneratorBatch(
            reconstructed=self.training_pairs.real_pairs(self.rng, count),
            blended=self.blended(include_validation=False),
            resampled=self._resampled() if self.config.discriminates_generated else None,
            unlabeled=self._resampled_unlabeled(),
            seed=self._seed(),
        )

    @torch.no_grad()
    def trilevel_batch(self) -> TrilevelBatch:
        """Sample the data of a step of all three levels."""
        real, validation = self.real(include_validation=False), self.validation()
        return TrilevelBatch(**vars(self.generator_batch()), real=real, validation=validation)

    @torch.no_grad()
    def final_batch(self) -> FinalBatch:
        """Sample the data of a step on all cases, validation cases included."""
        real = self.real(include_validation=True)
        return FinalBatch(real, self.blended(include_validation=True), self._seed())

    def _resampled(self) -> PairBatch:
        """Sample real pairs, deformed like the blended ones."""
        count = self.config.generated_batch_size
        return self.training_pairs.blended_pairs(self.rng, count, self.spatial, fraction=0.0)

    def _resampled_unlabeled(self) -> torch.Tensor | None:
        """Sample patches of unlabeled images, deformed alike, if there are any."""
        if self._unlabeled_images is None:
            return None
        images, _ = fine_sampler(self._unlabeled_images).sample(
            self.rng, self.config.generated_batch_size
        )
        size = tuple(self._preset.patch_size)
        source = tuple(images.shape[2:])
        grid = random_grid(self.rng, len(images), size, self.spatial, source)
        return sample_with_midpoints(images, grid)

    def _seed(self) -> int:
        return self.rng.integers(2**31 - 2, 1)[0]


def pair_sampler(
    cases: Sequence[TrainingCase],
    classes: int,
    preset: Preset,
    rng: RandomGenerator,
    sets: LabelSets | None,
    *,
    with_regions: bool,
) -> PairSampler:
    """Return the sampler of generated pairs that suits the preset's images.

    Args:
        cases: preprocessed cases.
        classes: number of classes, background included.
        preset: the task's preset.
        rng: random generator.
        sets: meaning of labels beyond the classes; None if there are none.
        with_regions: pairs have the mean intensities of regions.
    """
    if preset.spatial_dims == 2:
        cases = [flat_case(case) for case in cases]
    seed = rng.generator.initial_seed()
    regions = [find_regions(case, seed, class_count=classes) for case in cases if with_regions]
    size = preset.patch_size
    if preset.blending == "transplantation":
        turns = preset.augmentation.rotation, preset.mirror_axes
        return TransplantSampler(cases, classes, size, rng, *turns, sets, regions)
    return PairSampler(cases, classes, size, rng, sets=sets, regions=regions)


def patch_sampler(
    cases: Sequence[PatchSource], preset: Preset, *, with_margin: bool = False
) -> AnyPatchSampler:
    """Return the sampler of patches of these cases, at both spacings if the preset has two.

    Args:
        cases: preprocessed cases.
        preset: the task's preset.
        with_margin: add a margin to each patch, for `augment` to fill deformed patches from.
    """
    margin = patch_margin(preset.patch_size) if with_margin else None
    settings = (preset.patch_size, preset.foreground_fraction, margin)
    if preset.spatial_dims == 2:
        return SliceSampler(cases, *settings, preset.context_slices)
    fine = PatchSampler(cases, *settings)
    coarse = [case.coarse for case in cases if case.coarse is not None]
    if not coarse:
        return fine
    return MixedSpacingSampler(fine, PatchSampler(coarse, *settings), preset.coarse_fraction)
