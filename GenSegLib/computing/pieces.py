"""Networks computed with weights that stand in for their own, where memory is short in pieces.

Activations of a piece are computed anew for the gradient (Chen et al., "Training deep nets with
sublinear memory cost", arXiv:1604.06174), so that losses over a whole batch, as Dice is, and their
gradients stay the same but for the rounding of sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint


@dataclass
class Pieces:
    """How many samples go through a network at a time.

    Attributes:
        size: so many; 0: all of a batch.
        largest: how many went through one at once so far.
    """

    size: int = 0
    largest: int = 0

    def applied(
        self,
        network: nn.Module,
        parameters: dict[str, torch.Tensor],
        inputs: Sequence[torch.Tensor],
    ) -> Any:
        """Return the network's output, or outputs, for all samples of the inputs."""
        whole = len(inputs[0])
        self.largest = max(self.largest, whole)
        if not 0 < self.size < whole:
            return applied(network, parameters, tuple(inputs))
        pieces = zip(*(tensor.split(self.size) for tensor in inputs))
        drawn = [
            checkpoint(applied, network, parameters, piece, use_reentrant=False) for piece in pieces
        ]
        if isinstance(drawn[0], tuple):
            return tuple(torch.cat(parts) for parts in zip(*drawn))
        return torch.cat(drawn)


def applied(
    network: nn.Module, parameters: dict[str, torch.Tensor], inputs: tuple[object, ...]
) -> Any:
    """Return the network's output with these parameters in place of its own.

    Parameters are not tied by name: DynUNet holds its blocks under two names, and PyTorch would
    put the stand-ins back instead of the network's own parameters.
    """
    return functional_call(network, parameters, inputs, tie_weights=False)
