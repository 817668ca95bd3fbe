"""The three levels of GenSeg as losses: what `multilevel` optimizes without knowing of images.

lower    the generator draws real images from other subjects' images moved onto their masks
middle   the segmenter learns from real pairs and, weighted, from generated ones
upper    the segmenter's loss on real cases that were held back
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..augmentation.morphs import Pairs
from ..augmentation.randomness import Randomness
from ..augmentation.spatial import one_hot
from ..computing.devices import Precision
from ..computing.distributed import in_common
from ..computing.memory_format import CHANNELS_LAST, laid_out
from ..computing.pieces import Pieces, applied
from ..multilevel import Trilevel
from ..multilevel.levels import Rates, Tensors
from ..networks.discriminator import ADVERSARIES, Discriminator
from ..networks.image_generator import Attempt, ImageGenerator
from ..networks.upper_variables import PARAMETERS, UpperVariables, share
from .differences import DIFFERENCES
from .losses import segmentation_loss


@dataclass(frozen=True)
class LowerBatches:
    """The lower level's data of one iteration: images (b, c, *s) with labels (b, 1, *s).

    Attributes:
        lower: real pairs with the source images that the generator starts from.
        seed: of the noise and the appearance of the generated images, which every evaluation of
            these batches repeats.
    """

    lower: Pairs
    seed: int


@dataclass(frozen=True)
class Batches(LowerBatches):
    """One iteration's data for each level.

    Attributes:
        middle: augmented real pairs.
        blends: new masks with their source images.
        upper: pairs of held-back cases.
    """

    middle: tuple[torch.Tensor, torch.Tensor]
    blends: Pairs
    upper: tuple[torch.Tensor, torch.Tensor]


@dataclass
class SegmentationProblem:
    """The networks of one training and the losses that tie them together.

    Where memory is short, generator and segmenter take a batch in `pieces`.

    To see what each part of the feedback gives, upper-level variables stay `frozen` ("architecture"
    or a name of `PARAMETERS`), and the path by which they act in the segmenter's loss itself, or
    the one through the generator's weights, is left out of the hypergradient.

    The segmenter computes in a `memory_format`, the generator with channels last.
    """

    segmenter: nn.Module
    generator: ImageGenerator
    discriminator: Discriminator
    variables: UpperVariables
    classes: int
    adversarial_weight: float
    autocast: Precision
    difference: str = "coarse"
    adversary: str = "hinge"
    frozen: Collection[str] = ()
    direct_path: bool = True
    lower_path: bool = True
    memory_format: str = CHANNELS_LAST
    pieces: Pieces = field(default_factory=Pieces)

    def __post_init__(self) -> None:
        self.discriminator.eval()
        # batch normalization lets real samples change what the segmenter finds in generated ones
        self.mixes_samples = any(isinstance(m, _BatchNorm) for m in self.segmenter.modules())
        self.attempt = Attempt(self.generator)
        architecture = () if "architecture" in self.frozen else self.generator.architecture()
        self.names = {
            "segmenter": tuple(name for name, _ in self.segmenter.named_parameters()),
            "generator": tuple(self.generator.weights()),
            "architecture": tuple(architecture),
            "variables": tuple(name for of, name in PARAMETERS.items() if of not in self.frozen),
            "discriminator": tuple(name for name, _ in self.discriminator.named_parameters()),
        }

    def middle_parameters(self) -> list[torch.Tensor]:
        """Return the segmenter's weights S."""
        return list(self.segmenter.parameters())

    def lower_parameters(self) -> list[torch.Tensor]:
        """Return the generator's weights W."""
        return list(self.generator.weights().values())

    def upper_parameters(self) -> list[torch.Tensor]:
        """Return the architecture weights and the other upper-level variables, but frozen ones."""
        owners: tuple[tuple[nn.Module, str], ...]
        owners = ((self.generator, "architecture"), (self.variables, "variables"))
        return [owner.get_parameter(name) for owner, of in owners for name in self.names[of]]

    def trilevel(
        self,
        batches: Batches,
        lower_rate: Rates,
        middle_rate: Rates,
        judged: Tensors | None = None,
    ) -> Trilevel:
        """Return the three losses on these batches.

        Held-back cases judge the segmenter with the `judged` weights in place of its own, where
        they are given: see :meth:`upper_loss`.
        """
        return Trilevel(
            lower=self.lower_parameters(),
            middle=self.middle_parameters(),
            upper=self.upper_parameters(),
            lower_loss=lambda w, a: self.lower_loss(batches, w, a),
            bridge=lambda w, a: self.bridge(
                batches.blends,
                w if self.lower_path else _detached(w),
                a if self.direct_path else _detached(a),
                batches.seed,
            ),
            middle_loss=lambda s, bridge: self.middle_loss(
                batches.middle, batches.blends.labels, s, bridge
            ),
            upper_loss=lambda s, a: self.upper_loss(batches, s, judged),
            lower_rate=lower_rate,
            middle_rate=middle_rate,
            crossing_part=None
            if self.mixes_samples
            else lambda s, bridge: self.parted_loss(
                batches.middle, batches.blends.labels, s, bridge
            ),
        )

    def draw(self, pairs: Pairs, weights: Tensors, upper: Tensors, seed: int) -> torch.Tensor:
        """Return the generator's images for the pairs' masks and sources."""
        with self.autocast():
            inputs = self._seen(pairs, seed)
            drawn = self.pieces.applied(self.generator, self._drawing(weights, upper), inputs)
        return drawn.float()

    def _attempted(
        self, batches: LowerBatches, weights: Tensors, upper: Tensors
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the generator's attempts at real images, and their mean price."""
        pairs = batches.lower
        parameters = self._drawing(weights, upper)
        with self.autocast():
            inputs = [laid_out(pairs.images), *self._seen(pairs, batches.seed)]
            named = {f"generator.{name}": tensor for name, tensor in parameters.items()}
            drawn, prices = self.pieces.applied(self.attempt, named, inputs)
        return drawn.float(), prices.float().mean()

    def _drawing(self, weights: Tensors, upper: Tensors) -> dict[str, torch.Tensor]:
        """Return the generator's parameters by their names; it has frozen ones of its own."""
        count = len(self.names["architecture"])
        parameters = _named(self.names["generator"], weights)
        return parameters | _named(self.names["architecture"], upper[:count])

    def _seen(self, pairs: Pairs, seed: int) -> list[torch.Tensor]:
        """Return what the generator sees."""
        rng = Randomness(torch.Generator().manual_seed(seed), pairs.source.device)
        batch, _, *shape = pairs.source.shape
        noise = rng.normal(batch, *self.generator.noise_shape(shape))
        inputs = [one_hot(pairs.labels, self.classes), pairs.source, noise]
        if pairs.coordinates is not None:
            inputs.append(pairs.coordinates)
        return [laid_out(tensor) for tensor in inputs]

    def lower_loss(self, batches: LowerBatches, weights: Tensors, upper: Tensors) -> torch.Tensor:
        """Return the generator's loss: difference, the attempts' price, the adversary's verdict."""
        pairs = batches.lower
        drawn, price = self._attempted(batches, weights, upper)
        loss = DIFFERENCES[self.difference](drawn, pairs.images) + price
        if self.adversarial_weight > 0:
            masks = one_hot(pairs.labels, self.classes)
            with self.autocast():
                scores = self.discriminator(masks, drawn)
            verdict = ADVERSARIES[self.adversary].verdict(scores.float())
            loss = loss + self.adversarial_weight * verdict
        return loss

    def adversary_loss(self, batches: LowerBatches) -> torch.Tensor:
        """Return the discriminator's loss on real and generated images of the same masks.

        It is in training mode here alone, where its spectral norms are estimated anew: the other
        losses must give the same value twice.
        """
        pairs = batches.lower
        with torch.no_grad():
            present = self.lower_parameters(), self.upper_parameters()
            drawn, _ = self._attempted(batches, *present)
        masks = one_hot(pairs.labels, self.classes)
        both = torch.cat([pairs.images, drawn])
        with self.autocast():
            self.discriminator.train()
            inputs = (masks.repeat(2, *[1] * (masks.ndim - 1)), both)
            own = _named(self.names["discriminator"], list(self.discriminator.parameters()))
            scores = applied(self.discriminator, own, inputs).float()
            self.discriminator.eval()
        return ADVERSARIES[self.adversary].loss(*scores.chunk(2))

    def bridge(
        self, pairs: Pairs, weights: Tensors, upper: Tensors, seed: int
    ) -> list[torch.Tensor]:
        """Return what the segmenter gets of the generated pairs: their images and their weight."""
        drawn = self.draw(pairs, weights, upper, seed)
        rng = Randomness(torch.Generator().manual_seed(seed + 1), pairs.source.device)
        parameters = _named(self.names["variables"], upper[len(self.names["architecture"]) :])
        images = applied(self.variables, parameters, (pairs.source, drawn, rng))
        logit = parameters.get("weight_logit", self.variables.weight_logit)
        return [images, share(logit)]

    def middle_loss(
        self,
        real: tuple[torch.Tensor, torch.Tensor],
        generated_labels: torch.Tensor,
        segmenter: Tensors,
        bridge: Tensors,
    ) -> torch.Tensor:
        """Return the segmenter's loss on real pairs and, by their weight, on generated pairs."""
        images, labels = real
        drawn, weight = bridge
        logits = self.segment(segmenter, torch.cat([images, drawn]))
        on_real, on_generated = logits.split([len(images), len(drawn)])
        generated_loss = segmentation_loss(on_generated, generated_labels)
        return balanced(segmentation_loss(on_real, labels), generated_loss, weight)

    def parted_loss(
        self,
        real: tuple[torch.Tensor, torch.Tensor],
        generated_labels: torch.Tensor,
        segmenter: Tensors,
        bridge: Tensors,
    ) -> torch.Tensor:
        """Return :meth:`middle_loss`, at a lower price where only the bridge is learned.

        Real pairs go through the segmenter by themselves, so that nothing is kept of them.
        """
        drawn, weight = bridge
        images, labels = real
        real_loss = segmentation_loss(self.segment(segmenter, images), labels)
        generated_loss = segmentation_loss(self.segment(segmenter, drawn), generated_labels)
        return balanced(real_loss, generated_loss, weight)

    def real_loss(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the segmenter's loss on real pairs alone, with its present weights."""
        return segmentation_loss(self.segment(self.middle_parameters(), images), labels)

    def upper_loss(
        self, batches: Batches, segmenter: Tensors, judged: Tensors | None = None
    ) -> torch.Tensor:
        """Return the segmenter's loss on pairs of held-back cases.

        Where weights to be `judged` are given, which follow the segmenter's own (their moving
        average, which validation and the model take), the loss is that of these, and its
        derivative is taken as if they moved one to one. A single step in a high rate goes too far
        along whatever it follows, so that the loss after it speaks against all that was followed.
        """
        if judged is not None:
            segmenter = [at + (own - own.detach()) for at, own in zip(judged, segmenter)]
        images, labels = batches.upper
        return segmentation_loss(self.segment(segmenter, images), labels)

    def segment(self, segmenter: Tensors, images: torch.Tensor) -> torch.Tensor:
        """Return the logits that the segmenter gives with these weights."""
        parameters = _named(self.names["segmenter"], segmenter)
        with self.autocast():
            return self.pieces.applied(
                self.segmenter, parameters, (laid_out(images, self.memory_format),)
            )


def balanced(real: torch.Tensor, generated: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the loss on real pairs and, `weight` times as heavy, on generated ones.

    Their weights are 2 together. Were they not, the feedback would hear how long a step is beside
    how the two are balanced, and Adam's steps are as long whatever the losses' scale.
    """
    return 2 * (real + weight * generated) / (1 + weight)


def _detached(tensors: Tensors) -> list[torch.Tensor]:
    return [tensor.detach() for tensor in tensors]


def _named(names: Sequence[str], tensors: Tensors) -> dict[str, torch.Tensor]:
    """Return weights by their names; all processes that train together hold them alike."""
    return dict(zip(names, in_common(tensors)))
