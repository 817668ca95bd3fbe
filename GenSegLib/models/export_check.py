"""Compares an exported network with the model that it was exported from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..errors import GenSegError

TOLERANCE = 1e-4


class Probabilities(nn.Module):
    """A segmenter followed by softmax."""

    def __init__(self, segmenter: nn.Module) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, image: Tensor) -> Tensor:
        """Map (batch, channel, *shape) to probabilities (batch, class, *shape)."""
        return torch.softmax(self.segmenter(image), dim=1)


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
        image[..., shape[-1] // 2 :] = image.min()
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
