"""A diffusion bridge of a few steps, from the source image to a real one, as a generator.

Images wander from a real one at time 0 to its source at time 1 along a Brownian bridge (Li et al.,
"BBDM", CVPR 2023; Liu et al., "I2SB", ICML 2023); a network under the masks tells from where they
have got to where they came from. Steps are few, so that drawing stays affordable and
differentiable; what such large steps leave unclear is the adversary's matter (Xiao et al.,
"Tackling the generative learning trilemma with denoising diffusion GANs", ICLR 2022).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.networks.layers.factories import Conv
from monai.networks.nets.diffusion_model_unet import (
    DiffusionUNetResnetBlock,
    get_timestep_embedding,
)
from torch import nn

from .image_generator import Design, ImageGenerator, Seen, zeroed

STEPS = 3
_SPREAD = 0.25  # of the bridge in its middle, in standard deviations of z-scored images
_BOUNDED_SPREAD = 0.08
_TIMES = 1000  # what time 1 is to the embedding


class DiffusionGenerator(ImageGenerator):
    """Walks from the source image towards a real one in ``STEPS`` steps."""

    def __init__(self, design: Design) -> None:
        super().__init__(design)
        self.channels = channels = design.channels
        self.spread = 2 * (_BOUNDED_SPREAD if design.bounded else _SPREAD)
        seen = design.classes + 2 * channels + design.places
        self.network = TimedUNet(seen, channels, design.spatial_dims, design.widths)

    def noise_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of the noise of all steps but the last, which adds none."""
        return ((STEPS - 1) * self.channels, *shape)

    def drawn(self, seen: Seen) -> torch.Tensor:
        """See `ImageGenerator`."""
        state, time = seen.source, seen.source.new_ones(len(seen.source))
        origin = self._origin(state, time, seen)
        for added in seen.noise.chunk(STEPS - 1, dim=1):
            before = time - 1 / STEPS
            share = _over(before / time, state)
            spread = self.spread * _over((before * (time - before) / time).sqrt(), state)
            state, time = torch.lerp(origin, state, share) + spread * added, before
            origin = self._origin(state, time, seen)
        return origin

    def attempt(self, images: torch.Tensor, seen: Seen) -> tuple[torch.Tensor, torch.Tensor]:
        """See `ImageGenerator`; the attempt is made from a random step of the bridge."""
        time = self._random_time(seen.noise)
        spread = self.spread * _over((time * (1 - time)).sqrt(), images)
        added = seen.noise[:, : self.channels]
        state = torch.lerp(images, seen.source, _over(time, images)) + spread * added
        return self._origin(state, time, seen), images.new_zeros(len(images))

    def _origin(self, state: torch.Tensor, time: torch.Tensor, seen: Seen) -> torch.Tensor:
        """Return the images from which the bridge is thought to have come."""
        places = [] if seen.coordinates is None else [seen.coordinates]
        residual = self.network(torch.cat([state, seen.masks, seen.source, *places], dim=1), time)
        return self.within_bounds(seen.source + residual)

    def _random_time(self, noise: torch.Tensor) -> torch.Tensor:
        """Return a time of each sample (batch,), of which its noise decides.

        So an attempt needs no random numbers beside its noise: a voxel of it is as often in one
        of the equally likely intervals of a normal variable as in another.
        """
        uniform = torch.special.ndtr(noise.flatten(1)[:, -1].float())
        step = (uniform * STEPS).floor().clamp(max=STEPS - 1)
        return 1 - step / STEPS


class TimedUNet(nn.Module):
    """A U-Net of MONAI's residual blocks for diffusion models, without their attention.

    Args:
        inputs, outputs: channels.
        spatial_dims: 2 or 3.
        widths: channels at full size and after each halving.
    """

    def __init__(self, inputs: int, outputs: int, spatial_dims: int, widths: Sequence[int]) -> None:
        super().__init__()
        convolution = Conv[Conv.CONV, spatial_dims]
        self.width = widths[0]
        embedding = 4 * self.width
        self.embed = nn.Sequential(
            nn.Linear(self.width, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )

        def block(inputs: int, outputs: int, **resizing: bool) -> nn.Module:
            return DiffusionUNetResnetBlock(
                spatial_dims, inputs, embedding, outputs, norm_num_groups=8, **resizing
            )

        pairs = list(zip(widths, widths[1:]))
        self.stem = convolution(inputs, widths[0], kernel_size=3, padding=1)
        self.encoder = nn.ModuleList(block(fine, coarse, down=True) for fine, coarse in pairs)
        self.decoder = nn.ModuleList(
            block(coarse, fine, up=True) for fine, coarse in reversed(pairs)
        )
        self.norm = nn.GroupNorm(8, widths[0])
        self.head = zeroed(convolution(widths[0], outputs, kernel_size=3, padding=1))

    def forward(self, seen: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Map what is seen (batch, inputs, *shape) at a time (batch,) to (batch, outputs, ...)."""
        when = self.embed(get_timestep_embedding(time * _TIMES, self.width))
        features = self.stem(seen)
        skips = []
        for block in self.encoder:
            skips.append(features)
            features = block(features, when)
        for block in self.decoder:
            features = block(features, when) + skips.pop()
        outputs: torch.Tensor = self.head(F.silu(self.norm(features)))
        return outputs


def _over(values: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Return a value for each sample (batch,), to be spread over its image."""
    return values.reshape(-1, *[1] * (images.ndim - 1))
