"""A DynUNet that normalizes recolored images with parameters of their own.

One set of parameters for real and recolored images costs accuracy on the training's own scanner,
since the statistics of their features differ. Two sets share all convolutions (domain-specific
normalization: Chang et al., CVPR 2019; of original and changed images: Zhou et al., CVPR 2022).
Early features tell which set suits an image: those of a scan by another scanner have other means
and spreads than those of the labeled images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .deep_supervision import LevelDynUNet

REAL, RECOLORED = 0, 1  # places of their parameters

_INSTANCE_NORMS = (nn.InstanceNorm2d, nn.InstanceNorm3d)
MIN_CASES = 3  # to know how much the features of images of one scanner vary
_MIN_SCALE = 0.5  # of the median scale: few cases may agree by chance
# mean deviation from the labeled cases, in their standard deviations, up to which an image is like
# them: 0.5 to 0.9 for these themselves if left out
_MAX_DEVIATION = 1.1
_MIN_PROBABILITY = 1e-7
_MIN_VARIANCE = 1e-8
_SMOOTHING = 10.0  # voxels: images without structures agree
# Dice of both sets up to which the one for recolored images counts alone, and from which the other
# does; medians of volumes are 0.93 to 0.96 on the training's own and similar scanners, 0.85 to 0.9
# on late enhancement after cine MR, and 0.72 on T2 MR after CT
AGREEMENT = (0.85, 0.92)
_AGREEMENT_OF_OTHERS = (0.92, 0.96)  # for images that are not like the labeled ones


class DualInstanceNorm(nn.Module):
    """Instance normalization with two sets of scales and offsets.

    Attributes:
        norm: without scales and offsets.
        chosen: set of each sample.
    """

    def __init__(self, norm: nn.InstanceNorm2d | nn.InstanceNorm3d) -> None:
        super().__init__()
        self.norm = type(norm)(norm.num_features, norm.eps)
        self.weight = nn.Parameter(torch.ones(2, norm.num_features))
        self.bias = nn.Parameter(torch.zeros(2, norm.num_features))
        self.chosen: Sequence[int] = ()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Normalize images (batch, channel, *s).

        Sample by sample, scaling costs nothing, and the memory format is preserved. Exporters,
        which trace batches of one set, replace the inner norm by one that runtimes compute exactly.
        """
        if torch.jit.is_tracing():
            sides = (1,) * (images.ndim - 2)
            scale, offset = (p[self.chosen[0]].view(-1, *sides) for p in (self.weight, self.bias))
            return self.norm(images) * scale + offset
        samples = zip(images.split(1), self.chosen)
        return torch.cat([self._scaled(image, place) for image, place in samples])

    def _scaled(self, image: torch.Tensor, place: int) -> torch.Tensor:
        scale, offset = self.weight[place], self.bias[place]
        return F.batch_norm(image, None, None, scale, offset, True, 0.0, self.norm.eps)


class DualDynUNet(LevelDynUNet):
    """DynUNet with two sets of normalization parameters, for real and for recolored images.

    Images of training batches have a further channel, which is 1 for recolored samples and 0 for
    others (`mark_recolored`); without it, samples in training mode are real ones. In evaluation
    mode images have no mark: those like the labeled ones (`choose_normalization`) get the set for
    real images. Others, and those of exported models, which see windows alone, are segmented with
    both sets: if these agree on a batch, the logits are those of the set for real images, else
    those of the other one.

    Attributes:
        typical: mean and scale of the early features of labeled images (2, feature); zeros if they
            are not known.
        agreement: Dice of both sets up to which the set for recolored images counts alone, and from
            which that for real ones does; None if that one is to segment alone.
    """

    typical: torch.Tensor

    def __init__(self, in_channels: int, **arguments: Any) -> None:
        super().__init__(in_channels=in_channels, **arguments)
        self.image_channels = in_channels
        for module in list(self.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, _INSTANCE_NORMS):
                    setattr(module, name, DualInstanceNorm(child))
        features = 2 * sum(norm.weight.shape[1] for norm in self._early_norms())
        self.register_buffer("typical", torch.zeros(2, features))
        # without instance normalization there is nothing to choose
        self.agreement: tuple[float, float] | None = AGREEMENT if features else None
        self._observed: list[torch.Tensor] | None = None

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Map images (batch, channel, *s) to logits, in training mode of all levels."""
        if images.shape[1] > self.image_channels:
            marks = images[:, -1].flatten(1)[:, 0]
            return self._segment(images[:, :-1], [round(mark) for mark in marks.tolist()])
        if self.training:
            return self._segment(images, [REAL] * len(images))
        if self._observed is not None:
            self._observed.append(self._early_moments(images))
            return images.new_zeros(len(images), self.out_channels, *images.shape[2:])
        if self.agreement is None:
            return self._segment(images, [REAL] * len(images))
        real, recolored = (
            self._segment(images, [place] * len(images)).float().softmax(1)
            for place in (REAL, RECOLORED)
        )
        weight = _weight_of_real(real, recolored, self.agreement)
        mean = weight * real + (1 - weight) * recolored
        return mean.clamp_min(_MIN_PROBABILITY).log()

    @property
    def knows_typical(self) -> bool:
        """Whether it is known which images are like the labeled ones."""
        return bool(self.typical.any())

    def set_typical(self, features: Sequence[torch.Tensor]) -> None:
        """Learn from the features of labeled images which ones are like them.

        Nothing is known with fewer than three, whatever an earlier model knew.
        """
        if len(features) < MIN_CASES:
            self.typical.zero_()
            return
        spread, mean = torch.std_mean(torch.stack([*features]), dim=0)
        variance = spread.square() + (_MIN_SCALE * spread.median()).square() + _MIN_VARIANCE
        self.typical.copy_(torch.stack([mean, variance.sqrt()]))

    def is_typical(self, features: torch.Tensor) -> bool:
        """Return whether an image with these features is like the labeled ones."""
        mean, scale = self.typical
        return bool(((features - mean) / scale).abs().mean() <= _MAX_DEVIATION)

    @contextmanager
    def observing(self) -> Iterator[list[torch.Tensor]]:
        """Collect moments of early features of all images instead of segmenting them."""
        self._observed = []
        try:
            yield self._observed
        finally:
            self._observed = None

    def _segment(self, images: torch.Tensor, chosen: Sequence[int]) -> Any:
        self._choose(chosen)
        return super().forward(images)

    def _choose(self, chosen: Sequence[int]) -> None:
        for module in self.modules():
            if isinstance(module, DualInstanceNorm):
                module.chosen = chosen

    def _early_norms(self) -> list[DualInstanceNorm]:
        stages = (self.input_block, self.downsamples[0])
        modules = (module for stage in stages for module in stage.modules())
        return [module for module in modules if isinstance(module, DualInstanceNorm)]

    def _early_moments(self, images: torch.Tensor) -> torch.Tensor:
        """Return means, and means of squares, of what enters the first norms (2, channel)."""
        found: list[torch.Tensor] = []
        hooks = [
            norm.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].float()))
            for norm in self._early_norms()
        ]
        self._choose([REAL] * len(images))
        try:
            self.downsamples[0](self.input_block(images))
        finally:
            for hook in hooks:
                hook.remove()
        first = [features.transpose(0, 1).flatten(1) for features in found]
        return torch.stack(
            [torch.cat([f.mean(1) for f in first]), torch.cat([f.square().mean(1) for f in first])]
        )

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        """Load weights; those of earlier versions have no typical features."""
        state_dict.setdefault(f"{prefix}typical", torch.zeros_like(self.typical))
        super()._load_from_state_dict(state_dict, prefix, *others)


def dual_part(network: nn.Module) -> DualDynUNet | None:
    """Return the network with two sets of parameters within a network, None if there is none."""
    parts = (part for part in network.modules() if isinstance(part, DualDynUNet))
    return next((part for part in parts if part.typical.numel()), None)


@torch.no_grad()
def early_features(
    network: nn.Module, dual: DualDynUNet, windows: Iterable[torch.Tensor]
) -> torch.Tensor:
    """Return the early features (feature,) of an image: means and logarithmic spreads of channels.

    Args:
        network: of windows, in evaluation mode.
        dual: the dual network within it.
        windows: of the image, all of one size.
    """
    with dual.observing() as moments:
        for window in windows:
            network(window)
    mean, square = torch.stack(moments).mean(0)
    spread = (square - mean.square()).clamp_min(_MIN_VARIANCE).sqrt()
    return torch.cat([mean, spread.log()])


def choose_normalization(network: nn.Module, windows: Callable[[], Iterable[torch.Tensor]]) -> None:
    """Choose how an image is normalized; does nothing to networks with one set of parameters.

    Args:
        network: of windows, in evaluation mode.
        windows: returns some windows of the image, all of one size.
    """
    dual = dual_part(network)
    if dual is None:
        return
    dual.agreement = AGREEMENT
    if dual.knows_typical:
        is_typical = dual.is_typical(early_features(network, dual, windows()))
        dual.agreement = None if is_typical else _AGREEMENT_OF_OTHERS


def _weight_of_real(
    real: torch.Tensor, recolored: torch.Tensor, agreement: tuple[float, float]
) -> torch.Tensor:
    """Return the weight of the set for real images, from the Dice of both segmentations.

    Args:
        real: probabilities (batch, class, *s) of its set, background first.
        recolored: those of the other set.
        agreement: Dice at which the weight is 0, and at which it is 1.
    """
    first, second = real.argmax(1), recolored.argmax(1)
    overlap = 2 * ((first == second) & (first > 0)).sum()
    dice = (overlap + _SMOOTHING) / ((first > 0).sum() + (second > 0).sum() + _SMOOTHING)
    low, high = agreement
    return ((dice - low) / (high - low)).clamp(0, 1)


def mark_recolored(images: torch.Tensor, is_recolored: torch.Tensor) -> torch.Tensor:
    """Return images (batch, channel, *s) with a further channel that marks samples (batch,)."""
    shape = (len(images), *[1] * (images.ndim - 1))
    marks = is_recolored.to(images).reshape(shape).expand(-1, 1, *images.shape[2:])
    return torch.cat([images, marks], dim=1)
