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
from ..networks.discriminator import ADVERSARIAL_LOSSES, Discriminator
from ..networks.image_generator import ImageGenerator
from .losses import RECONSTRUCTION_LOSSES, Logits, segmentation_loss
from .upper_variables import FREEZABLE, UpperVariables, scaled_sigmoid

Pair = tuple[torch.Tensor, torch.Tensor]  # images (b, c, *s), labels (b, 1, *s)


@dataclass(frozen=True)
class GeneratorBatch:
    """Data of one step of the generator.

    Attributes:
        reconstructed: real pairs with the source images from which they are reconstructed.
        seed: of noise and appearance, the same in every evaluation on this batch.
    """

    reconstructed: PairBatch
    seed: int


@dataclass(frozen=True)
class TrilevelBatch(GeneratorBatch):
    """Data of one step of all three levels.

    Attributes:
        real: augmented real pairs.
        blended: new masks with their source images, to be completed by the generator.
        validation: pairs of validation cases.
    """

    real: Pair
    blended: PairBatch
    validation: Pair


@dataclass
class SegmentationProblem:
    """The networks of a training and the losses that connect them.

    Attributes:
        frozen: fixed upper-level variables ("architecture" or a name of `FREEZABLE`).
        direct_path, lower_path: hypergradients include the path through the generated pairs
            themselves and the path through the generator's weights.
        memory_format: of the segmenter; the generator always uses channels last.
        micro_batches: splits batches if memory is short.
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
    frozen: Collection[str] = ()
    direct_path: bool = True
    lower_path: bool = True
    memory_format: str = CHANNELS_LAST
    micro_batches: MicroBatches = field(default_factory=MicroBatches)
    class_weights: torch.Tensor | None = None
    sets: LabelSets | None = None

    def __post_init__(self) -> None:
        self.discriminator.eval()
        # with batch normalization, real samples influence the output on generated ones
        self.has_batch_norm = any(isinstance(m, _BatchNorm) for m in self.segmenter.modules())
        architecture = () if "architecture" in self.frozen else self.generator.architecture()
        self.names = {
            "segmenter": tuple(name for name, _ in self.segmenter.named_parameters()),
            "generator": tuple(self.generator.weights()),
            "architecture": tuple(architecture),
            "variables": tuple(name for key, name in FREEZABLE.items() if key not in self.frozen),
            "discriminator": tuple(name for name, _ in self.discriminator.named_parameters()),
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

        def generate(w: Tensors, a: Tensors) -> list[torch.Tensor]:
            w = w if self.lower_path else _detach(w)
            a = a if self.direct_path else _detach(a)
            return self.generate_batch(batch.blended, w, a, batch.seed)

        def split_middle_loss(s: Tensors, generated: Tensors) -> torch.Tensor:
            return self.split_middle_loss(real, labels, s, generated)

        return TrilevelProblem(
            lower=self.lower_parameters(),
            middle=self.middle_parameters(),
            upper=self.upper_parameters(),
            lower_loss=lambda w, a: self.lower_loss(batch, w, a),
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
        rng = RandomGenerator(torch.Generator().manual_seed(seed), pairs.source.device)
        batch, _, *shape = pairs.source.shape
        noise = rng.normal(batch, 1, *shape)
        inputs = [one_hot(pairs.labels, self.classes), pairs.source, noise]
        if pairs.coordinates is not None:
            inputs.append(pairs.coordinates)
        return [to_memory_format(tensor) for tensor in inputs]

    def lower_loss(self, batch: GeneratorBatch, weights: Tensors, upper: Tensors) -> torch.Tensor:
        """Return the generator's reconstruction loss and adversarial loss."""
        pairs = batch.reconstructed
        images = self.generate_images(pairs, weights, upper, batch.seed)
        loss = RECONSTRUCTION_LOSSES[self.reconstruction_loss](images, pairs.images)
        if self.adversarial_weight > 0:
            masks = one_hot(pairs.labels, self.classes)
            with self.autocast():
                scores = self.discriminator(masks, images)
            adversarial = ADVERSARIAL_LOSSES[self.adversarial_loss].generator(scores.float())
            loss = loss + self.adversarial_weight * adversarial
        return loss

    def discriminator_loss(self, batch: GeneratorBatch) -> torch.Tensor:
        """Return the discriminator's loss on real and reconstructed images of the same masks.

        Only here is it in training mode, which updates the estimates of its spectral norms; the
        other losses must be deterministic.
        """
        pairs = batch.reconstructed
        with torch.no_grad():
            current = self.lower_parameters(), self.upper_parameters()
            images = self.generate_images(pairs, *current, batch.seed)
        masks = one_hot(pairs.labels, self.classes)
        inputs = (masks.repeat(2, *[1] * (masks.ndim - 1)), torch.cat([pairs.images, images]))
        names = self.names["discriminator"]
        parameters = _by_name(names, list(self.discriminator.parameters()))
        with self.autocast():
            self.discriminator.train()
            scores = forward_with(self.discriminator, parameters, inputs).float()
            self.discriminator.eval()
        return ADVERSARIAL_LOSSES[self.adversarial_loss].discriminator(*scores.chunk(2))

    def generate_batch(
        self, pairs: PairBatch, weights: Tensors, upper: Tensors, seed: int
    ) -> list[torch.Tensor]:
        """Return the generated images, augmented in appearance, and their weight in the loss."""
        images = self.generate_images(pairs, weights, upper, seed)
        rng = RandomGenerator(torch.Generator().manual_seed(seed + 1), pairs.source.device)
        variables = upper[len(self.names["architecture"]) :]
        parameters = _by_name(self.names["variables"], variables)
        augmented = forward_with(self.variables, parameters, (pairs.source, images, rng))
        logit = parameters.get("weight_logit", self.variables.weight_logit)
        return [augmented, scaled_sigmoid(logit)]

    def middle_loss(
        self, real: Pair, generated_labels: torch.Tensor, segmenter: Tensors, generated: Tensors
    ) -> torch.Tensor:
        """Return the segmenter's loss on real pairs and on generated pairs by their weight."""
        images, labels = real
        generated_images, weight = generated
        logits = self.segment(segmenter, torch.cat([images, generated_images]))
        on_real, on_generated = _split(logits, len(images))
        generated_loss = self._segmentation_loss(on_generated, generated_labels)
        return weighted_mean(self._segmentation_loss(on_real, labels), generated_loss, weight)

    def split_middle_loss(
        self, real: Pair, generated_labels: torch.Tensor, segmenter: Tensors, generated: Tensors
    ) -> torch.Tensor:
        """Return :meth:`middle_loss`, computed by one forward pass each for real and generated.

        Derivatives with respect to the generated batch then need no graph of the real pairs.
        """
        images, labels = real
        generated_images, weight = generated
        on_real = self._segmentation_loss(self.segment(segmenter, images), labels)
        logits = self.segment(segmenter, generated_images)
        return weighted_mean(on_real, self._segmentation_loss(logits, generated_labels), weight)

    def real_loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the segmenter's loss on real pairs alone, with its current weights."""
        return self._segmentation_loss(self.segment(self.middle_parameters(), images), labels)

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
        return self._segmentation_loss(self.segment(segmenter, images), labels)

    def _segmentation_loss(self, logits: Logits, labels: torch.Tensor) -> torch.Tensor:
        return segmentation_loss(logits, labels, self.class_weights, self.sets)

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


def _split(logits: Logits, count: int) -> tuple[Logits, Logits]:
    """Return the logits of the first samples and those of the others."""
    if isinstance(logits, tuple):
        return tuple(level[:count] for level in logits), tuple(level[count:] for level in logits)
    return logits[:count], logits[count:]


def _detach(tensors: Tensors) -> list[torch.Tensor]:
    return [tensor.detach() for tensor in tensors]


def _by_name(names: Sequence[str], tensors: Tensors) -> dict[str, torch.Tensor]:
    return dict(zip(names, tensors))
