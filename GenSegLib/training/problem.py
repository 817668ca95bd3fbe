"""The three levels of GenSeg as losses, in the form that `multilevel` optimizes.

lower    the generator reconstructs real images from other cases' images warped onto their masks
middle   the segmenter learns from real pairs and from weighted generated pairs
upper    the segmenter's loss on validation cases
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..augmentation.pairs import PairBatch
from ..augmentation.random_generator import RandomGenerator
from ..augmentation.spatial import one_hot
from ..computing.devices import Precision
from ..computing.memory_format import CHANNELS_LAST, to_memory_format
from ..computing.micro_batches import MicroBatches, forward_with
from ..data.label_sets import LabelSets
from ..multilevel import TrilevelProblem
from ..multilevel.vectors import StepSizes, Tensors
from ..networks.discriminator import Discriminator
from ..networks.image_generator import ImageGenerator
from .adversarial_loss import AdversarialLoss, DiscriminatorInput
from .batches import GeneratorBatch, Pair, TrilevelBatch
from .losses import (
    RECONSTRUCTION_LOSSES,
    Logits,
    diversity,
    hard_pair_loss,
    segmentation_loss,
)
from .upper_variables import FREEZABLE, UpperVariables, scaled_sigmoid


@dataclass
class SegmentationProblem:
    """The networks of a training and the losses that connect them.

    Attributes:
        adversarial_pairs: what the discriminator scores: "generated" pairs as the segmenter
            receives them, or "reconstructed" real ones.
        frozen: fixed upper-level variables ("architecture" or a name of `FREEZABLE`).
        direct_path: hypergradients include the path through the generated pairs themselves, beside
            the one through the generator's weights.
        memory_format: of the segmenter; the generator always uses channels last.
        micro_batches: splits batches if memory is short.
        batch_dice: see `Preset`.
        class_weights: of the classes in the segmenter's cross-entropy; None if all weigh the same.
        sets: meaning of labels beyond the classes; None if there are none.
    """

    segmenter: nn.Module
    generator: ImageGenerator
    discriminator: Discriminator
    variables: UpperVariables
    classes: int
    adversarial_weight: float
    autocast: Precision
    reconstruction_loss: str = "pooled-l1"
    adversarial_loss: str = "hinge"
    adversarial_pairs: str = "generated"
    mode_seeking_weight: float = 0.0
    hard_pair_weight: float = 0.0
    batch_dice: bool = True
    frozen: Collection[str] = ()
    direct_path: bool = True
    memory_format: str = CHANNELS_LAST
    micro_batches: MicroBatches = field(default_factory=MicroBatches)
    class_weights: torch.Tensor | None = None
    sets: LabelSets | None = None

    def __post_init__(self) -> None:
        settings = self.adversarial_loss, self.classes, self.autocast
        self.adversarial = AdversarialLoss(self.discriminator, *settings)
        # with batch normalization, real samples influence the output on generated ones
        self.has_batch_norm = any(isinstance(m, _BatchNorm) for m in self.segmenter.modules())
        architecture = () if "architecture" in self.frozen else self.generator.architecture()
        self.names = {
            "segmenter": tuple(name for name, _ in self.segmenter.named_parameters()),
            "generator": tuple(self.generator.weights()),
            "architecture": tuple(architecture),
            "variables": tuple(name for key, name in FREEZABLE.items() if key not in self.frozen),
        }

    @contextmanager
    def fixed_statistics(self) -> Iterator[None]:
        """Leave the segmenter's batch normalization statistics alone.

        Passes at the perturbed weights of a hypergradient must not contribute to them.
        """
        norms = [m for m in self.segmenter.modules() if isinstance(m, _BatchNorm)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 0.0
        try:
            yield
        finally:
            for norm, momentum in zip(norms, momenta):
                norm.momentum = momentum

    def middle_parameters(self) -> list[torch.Tensor]:
        """Return the segmenter's weights S."""
        return list(self.segmenter.parameters())

    def lower_parameters(self) -> list[torch.Tensor]:
        """Return the generator's weights W."""
        return list(self.generator.weights().values())

    def upper_parameters(self) -> list[torch.Tensor]:
        """Return the upper-level variables a that are not frozen, architecture weights first."""
        owners: tuple[tuple[nn.Module, str], ...]
        owners = ((self.generator, "architecture"), (self.variables, "variables"))
        return [owner.get_parameter(name) for owner, key in owners for name in self.names[key]]

    def trilevel(
        self,
        batch: TrilevelBatch,
        lower_step_size: StepSizes,
        middle_step_size: StepSizes,
        averaged: Tensors | None = None,
    ) -> TrilevelProblem:
        """Return the three levels on a batch; for `averaged` see :meth:`upper_loss`."""
        real, labels = batch.real, batch.blended.labels
        segmenters = None if averaged is None else (_detach(self.middle_parameters()), averaged)

        def generate(w: Tensors, a: Tensors) -> list[torch.Tensor]:
            a = a if self.direct_path else _detach(a)
            return self.generate_batch(batch.blended, w, a, batch.seed)

        def split_middle_loss(s: Tensors, generated: Tensors) -> torch.Tensor:
            return self.split_middle_loss(real, labels, s, generated)

        return TrilevelProblem(
            lower=self.lower_parameters(),
            middle=self.middle_parameters(),
            upper=self.upper_parameters(),
            lower_loss=lambda w, a: self.lower_loss(batch, w, a, segmenters),
            generate=generate,
            middle_loss=lambda s, generated: self.middle_loss(real, labels, s, generated),
            upper_loss=lambda s, a: self.upper_loss(batch.validation, s, averaged),
            lower_step_size=lower_step_size,
            middle_step_size=middle_step_size,
            split_middle_loss=None if self.has_batch_norm else split_middle_loss,
        )

    def generate_images(
        self, pairs: PairBatch, weights: Tensors, upper: Tensors, seed: int
    ) -> torch.Tensor:
        """Return the generator's images for the masks and source images of the pairs."""
        with self.autocast():
            inputs = self._generator_inputs(pairs, seed)
            parameters = self._generator_parameters(weights, upper)
            images = self.micro_batches.forward(self.generator, parameters, inputs)
        return images.float()

    def _generator_parameters(self, weights: Tensors, upper: Tensors) -> dict[str, torch.Tensor]:
        architecture = upper[: len(self.names["architecture"])]
        return _by_name(self.names["generator"], weights) | _by_name(
            self.names["architecture"], architecture
        )

    def _generator_inputs(self, pairs: PairBatch, seed: int) -> list[torch.Tensor]:
        """Return the tensors of `GeneratorInputs`."""
        noise = self._noise(pairs, seed)
        inputs = [one_hot(pairs.labels, self.classes), pairs.source, noise, pairs.regions]
        return [to_memory_format(tensor) for tensor in inputs]

    def _noise(self, pairs: PairBatch, seed: int) -> torch.Tensor:
        rng = RandomGenerator(seed, pairs.source.device)
        batch, _, *shape = pairs.source.shape
        return rng.normal(batch, self.generator.noise_channels, *shape)

    def lower_loss(
        self,
        batch: GeneratorBatch,
        weights: Tensors,
        upper: Tensors,
        segmenters: tuple[Tensors, Tensors] | None = None,
    ) -> torch.Tensor:
        """Return the generator's loss.

        It is the loss of reconstructions of real pairs; the adversarial loss, of pairs as the
        segmenter receives them; and terms for different images and for hard pairs.

        Args:
            batch: data.
            weights: W.
            upper: a.
            segmenters: weights of the segmenter and of its moving average, once they train.
        """
        pairs = batch.reconstructed
        images = self.generate_images(pairs, weights, upper, batch.seed)
        loss = RECONSTRUCTION_LOSSES[self.reconstruction_loss](images, pairs.images)
        if self.adversarial_pairs == "reconstructed":
            return loss + self._adversarial_loss([(images, pairs.labels)])
        used = batch.blended
        images = self.generate_images(used, weights, upper, batch.seed)
        received = self._received(used.source, images, upper, batch.seed)
        loss = loss + self._adversarial_loss(_discriminator_inputs(received, batch))
        if self.mode_seeking_weight > 0:
            first = used.first()  # one sample has a second image, since each takes time
            others = self.generate_images(first, weights, upper, batch.seed + 2)
            noises = (self._noise(used, batch.seed)[:1], self._noise(first, batch.seed + 2))
            loss = loss - self.mode_seeking_weight * diversity(images[:1], others, *noises)
        if self.hard_pair_weight > 0 and segmenters is not None:
            hard = self._hard_pair_loss(batch, received, upper, *segmenters)
            loss = loss + self.hard_pair_weight * hard
        return loss

    def _adversarial_loss(self, generated: Sequence[DiscriminatorInput]) -> torch.Tensor | float:
        if self.adversarial_weight == 0:
            return 0.0
        return self.adversarial_weight * self.adversarial.generator_loss(generated)

    def _hard_pair_loss(
        self,
        batch: GeneratorBatch,
        received: torch.Tensor,
        upper: Tensors,
        student: Tensors,
        teacher: Tensors,
    ) -> torch.Tensor:
        used = batch.blended
        source = self._received(used.source, used.source, upper, batch.seed).detach()
        with self.fixed_statistics():
            passes = ((student, received), (teacher, received), (teacher, source))
            losses = [
                self.segmentation_loss(self.segment(network, images), used.labels)
                for network, images in passes
            ]
        return hard_pair_loss(*losses)

    def discriminator_loss(self, batch: GeneratorBatch) -> torch.Tensor:
        """Return the discriminator's loss on real pairs and on those that it is to judge.

        Real pairs, and images of unlabeled cases, are deformed and augmented as generated ones are,
        so that neither blur nor noise distinguishes them.
        """
        with torch.no_grad():
            real, generated = self._real_and_generated(batch)
        return self.adversarial.discriminator_loss(real, generated)

    def _real_and_generated(
        self, batch: GeneratorBatch
    ) -> tuple[list[DiscriminatorInput], list[DiscriminatorInput]]:
        weights, upper = self.lower_parameters(), self.upper_parameters()
        if batch.resampled is None:
            pairs = batch.reconstructed
            images = self.generate_images(pairs, weights, upper, batch.seed)
            return [(pairs.images, pairs.labels)], [(images, pairs.labels)]
        received, _ = self.generate_batch(batch.blended, weights, upper, batch.seed)
        real: list[DiscriminatorInput] = [(batch.resampled.images, batch.resampled.labels)]
        if batch.unlabeled is not None:
            real.append((batch.unlabeled, None))
        augmented: list[DiscriminatorInput] = [
            (self._received(images, images, upper, batch.seed), labels) for images, labels in real
        ]
        return augmented, _discriminator_inputs(received, batch)

    def generate_batch(
        self, pairs: PairBatch, weights: Tensors, upper: Tensors, seed: int
    ) -> list[torch.Tensor]:
        """Return the generated images, augmented in appearance, and their weight in the loss."""
        images = self.generate_images(pairs, weights, upper, seed)
        logit = self._variables(upper).get("weight_logit", self.variables.weight_logit)
        return [self._received(pairs.source, images, upper, seed), scaled_sigmoid(logit)]

    def _received(
        self, source: torch.Tensor, images: torch.Tensor, upper: Tensors, seed: int
    ) -> torch.Tensor:
        """Return generated images as the segmenter receives them: augmented in appearance."""
        rng = RandomGenerator(seed + 1, source.device)
        augmented: torch.Tensor
        augmented = forward_with(self.variables, self._variables(upper), (source, images, rng))
        return augmented

    def _variables(self, upper: Tensors) -> dict[str, torch.Tensor]:
        return _by_name(self.names["variables"], upper[len(self.names["architecture"]) :])

    def middle_loss(
        self, real: Pair, generated_labels: torch.Tensor, segmenter: Tensors, generated: Tensors
    ) -> torch.Tensor:
        """Return the segmenter's loss on real pairs and on generated pairs by their weight."""
        images, labels = real
        generated_images, weight = generated
        logits = self.segment(segmenter, torch.cat([images, generated_images]))
        on_real, on_generated = _split(logits, len(images))
        generated_loss = self.segmentation_loss(on_generated, generated_labels)
        return weighted_mean(self.segmentation_loss(on_real, labels), generated_loss, weight)

    def split_middle_loss(
        self, real: Pair, generated_labels: torch.Tensor, segmenter: Tensors, generated: Tensors
    ) -> torch.Tensor:
        """Return :meth:`middle_loss`, computed by one forward pass each for real and generated.

        Derivatives with respect to the generated batch then need no graph of the real pairs.
        """
        images, labels = real
        generated_images, weight = generated
        on_real = self.segmentation_loss(self.segment(segmenter, images), labels)
        logits = self.segment(segmenter, generated_images)
        return weighted_mean(on_real, self.segmentation_loss(logits, generated_labels), weight)

    def real_loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the segmenter's loss on real pairs alone, with its current weights."""
        return self.segmentation_loss(self.segment(self.middle_parameters(), images), labels)

    def upper_loss(
        self, validation: Pair, segmenter: Tensors, averaged: Tensors | None = None
    ) -> torch.Tensor:
        """Return the segmenter's loss on pairs of validation cases.

        With `averaged` weights (the moving average, which is also validated and saved) the loss is
        evaluated there, and its derivative is passed to the segmenter's own weights unchanged
        (straight-through). At a high learning rate a single step overshoots, so that the loss
        after it would discourage whatever caused the step.
        """
        if averaged is not None:
            segmenter = [mean + (own - own.detach()) for mean, own in zip(averaged, segmenter)]
        images, labels = validation
        return self.segmentation_loss(self.segment(segmenter, images), labels)

    def segmentation_loss(self, logits: Logits, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss that the segmenter minimizes, of its logits on a batch."""
        return segmentation_loss(
            logits, labels, self.class_weights, self.sets, batch_dice=self.batch_dice
        )

    def segment(
        self, weights: Tensors, images: torch.Tensor, segmenter: nn.Module | None = None
    ) -> Logits:
        """Return the logits of the segmenter, or another one alike, with these weights."""
        parameters = _by_name(self.names["segmenter"], weights)
        inputs = (to_memory_format(images, self.memory_format),)
        with self.autocast():
            return self.micro_batches.forward(segmenter or self.segmenter, parameters, inputs)


def weighted_mean(
    real: torch.Tensor, generated: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Return the loss on real pairs (weight 1) and generated ones, scaled to a total weight of 2.

    The total is constant, so that hypergradients of the weight change the balance of real and
    generated pairs and not the length of a step.
    """
    return 2 * (real + weight * generated) / (1 + weight)


def _discriminator_inputs(images: torch.Tensor, batch: GeneratorBatch) -> list[DiscriminatorInput]:
    """Return generated images with their labels and, if there are unlabeled ones, alone."""
    alone: list[DiscriminatorInput] = [] if batch.unlabeled is None else [(images, None)]
    return [(images, batch.blended.labels), *alone]


def _split(logits: Logits, count: int) -> tuple[Logits, Logits]:
    """Return the logits of the first samples and those of the others."""
    if isinstance(logits, tuple):
        return tuple(level[:count] for level in logits), tuple(level[count:] for level in logits)
    return logits[:count], logits[count:]


def _detach(tensors: Tensors) -> list[torch.Tensor]:
    return [tensor.detach() for tensor in tensors]


def _by_name(names: Sequence[str], tensors: Tensors) -> dict[str, torch.Tensor]:
    return dict(zip(names, tensors))
