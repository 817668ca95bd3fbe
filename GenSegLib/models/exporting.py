"""What every export does: hold the exported network to the model's own, on images of its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..errors import GenSegError

LARGEST_DIFFERENCE = 1e-4


class Probabilities(nn.Module):
    """A segmenter with the softmax behind it: from images to the probabilities of the classes."""

    def __init__(self, segmenter: nn.Module) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, image: Tensor) -> Tensor:
        """Map (batch, channel, *shape) to (batch, class, *shape)."""
        return torch.softmax(self.segmenter(image), dim=1)


@torch.no_grad()
def largest_difference(
    ours: nn.Module, exported: Callable[[Tensor], Tensor], shapes: Sequence[Sequence[int]]
) -> float:
    """Give the largest difference of probabilities on images of these shapes, half of them noise.

    The other half is one value, as air is: what a runtime rounds away adds up there.

    Raises:
        GenSegError: it is more than rounding; what was exported must not be used.
    """
    random = torch.Generator().manual_seed(0)
    largest = 0.0
    for shape in shapes:
        image = torch.randn(*shape, generator=random)
        image[..., shape[-1] // 2 :] = image.min()
        wanted, found = ours(image), exported(image)
        same = wanted.shape == found.shape
        difference = float((wanted - found).abs().max()) if same else float("inf")
        if not difference <= LARGEST_DIFFERENCE:
            raise GenSegError(
                f"the exported network differs from the model by {difference:.2g} and was not "
                "kept; please report this with the versions of torch and onnxruntime"
            )
        largest = max(largest, difference)
    return largest
