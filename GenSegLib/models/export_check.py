"""Compares an exported network with the model that it was exported from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..errors import GenSegError
from ..networks.slice_wise import as_volume_network
from ..presets import Preset

TOLERANCE = 1e-4
_SLICES = 5  # more than the context of one slice


class VolumeProbabilities(nn.Module):
    """A preset's segmenter as a network of volumes, followed by softmax."""

    def __init__(self, segmenter: nn.Module, preset: Preset) -> None:
        super().__init__()
        self.segmenter = as_volume_network(segmenter, preset)

    def forward(self, image: Tensor) -> Tensor:
        """Map (batch, channel, x, y, z) to probabilities (batch, class, x, y, z)."""
        return torch.softmax(self.segmenter(image), dim=1)


def example_shape(preset: Preset) -> tuple[int, ...]:
    """Return the shape (channel, x, y, z) of a patch, with a few slices for a 2-D network."""
    slices = (_SLICES,) if preset.spatial_dims == 2 else ()
    return (preset.channels, *preset.patch_size, *slices)


@torch.no_grad()
def largest_difference(
    model: nn.Module, exported: Callable[[Tensor], Tensor], shapes: Sequence[Sequence[int]]
) -> float:
    """Return the largest absolute difference of probabilities on images of these shapes.

    One half of each image is noise, the other is constant like air, where rounding errors of a
    runtime accumulate.

    Raises:
        GenSegError: the difference is larger than rounding errors.
    """
    generator = torch.Generator().manual_seed(0)
    largest = 0.0
    for shape in shapes:
        image = torch.randn(*shape, generator=generator)
        image[:, :, shape[2] // 2 :] = image.min()
        expected, actual = model(image), exported(image)
        same = expected.shape == actual.shape
        difference = float((expected - actual).abs().max()) if same else float("inf")
        if not difference <= TOLERANCE:
            raise GenSegError(
                f"the exported network differs from the model by {difference:.2g} and was "
                "discarded; please report this with your versions of torch and onnxruntime"
            )
        largest = max(largest, difference)
    return largest
