"""A diffusion bridge of a few steps, from the source image to a real one, as a generator.

Images follow a Brownian bridge from a real image at time 0 to its source at time 1 (Li et al.,
"BBDM", CVPR 2023; Liu et al., "I2SB", ICML 2023); a network conditioned on the masks predicts the
real image from the state at any time. Few steps keep sampling affordable and differentiable; the
adversarial loss makes such large steps work (Xiao et al., "Tackling the generative learning
trilemma with denoising diffusion GANs", ICLR 2022).
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

from .image_generator import (
    GeneratorConfig,
    GeneratorInputs,
    ImageGenerator,
    concatenate,
    zero_init,
)

STEPS = 3
_SD = 0.25  # standard deviation of the bridge in its middle, for z-scored images
_BOUNDED_SD = 0.08
_TIME_SCALE = 1000  # from time 1 to the scale of the embedding


class DiffusionGenerator(ImageGenerator):
    """Transforms the source image into a generated one in ``STEPS`` steps."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.channels = channels = config.channels
        self.sd = 2 * (_BOUNDED_SD if config.bounded else _SD)
        inputs = config.classes + 2 * channels + config.coordinate_channels
        self.network = TimedUNet(inputs, channels, config.spatial_dims, config.widths)

    def noise_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of the noise of all steps; the last one adds none."""
        return ((STEPS - 1) * self.channels, *shape)

    def generate(self, inputs: GeneratorInputs) -> torch.Tensor:
        """See `ImageGenerator`."""
        state, time = inputs.source, inputs.source.new_ones(len(inputs.source))
        predicted = self._predict(state, time, inputs)
        for noise in inputs.noise.chunk(STEPS - 1, dim=1):
            earlier = time - 1 / STEPS
            fraction = _broadcast(earlier / time, state)
            sd = self.sd * _broadcast((earlier * (time - earlier) / time).sqrt(), state)
            state, time = torch.lerp(predicted, state, fraction) + sd * noise, earlier
            predicted = self._predict(state, time, inputs)
        return predicted

    def reconstruct(
        self, images: torch.Tensor, inputs: GeneratorInputs
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `ImageGenerator`; reconstructs from a random step of the bridge."""
        time = self._random_time(inputs.noise)
        sd = self.sd * _broadcast((time * (1 - time)).sqrt(), images)
        noise = inputs.noise[:, : self.channels]
        state = torch.lerp(images, inputs.source, _broadcast(time, images)) + sd * noise
        return self._predict(state, time, inputs), images.new_zeros(len(images))

    def _predict(
        self, state: torch.Tensor, time: torch.Tensor, inputs: GeneratorInputs
    ) -> torch.Tensor:
        """Predict the real images at the beginning of the bridge."""
        seen = concatenate(state, inputs.masks, inputs.source, inputs.coordinates)
        return self.clip(inputs.source + self.network(seen, time))

    def _random_time(self, noise: torch.Tensor) -> torch.Tensor:
        """Return a random time for each sample (batch,), from the last voxel of its noise.

        No further random numbers are needed: the normal distribution function makes it uniform.
        """
        uniform = torch.special.ndtr(noise.flatten(1)[:, -1].float())
        step = (uniform * STEPS).floor().clamp(max=STEPS - 1)
        return 1 - step / STEPS


class TimedUNet(nn.Module):
    """A U-Net of MONAI's residual blocks for diffusion models, without attention.

    Args:
        inputs: input channels.
        outputs: output channels.
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
        self.head = zero_init(convolution(widths[0], outputs, kernel_size=3, padding=1))

    def forward(self, inputs: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Map inputs (batch, inputs, *shape) and times (batch,) to (batch, outputs, *shape)."""
        embedding = self.embed(get_timestep_embedding(time * _TIME_SCALE, self.width))
        features = self.stem(inputs)
        skips = []
        for block in self.encoder:
            skips.append(features)
            features = block(features, embedding)
        for block in self.decoder:
            features = block(features, embedding) + skips.pop()
        outputs: torch.Tensor = self.head(F.silu(self.norm(features)))
        return outputs


def _broadcast(values: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Reshape values (batch,) to broadcast over images."""
    return values.reshape(-1, *[1] * (images.ndim - 1))
