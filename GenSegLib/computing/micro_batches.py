"""Functional calls of networks, in micro-batches if memory is short.

Activations of a micro-batch are recomputed in the backward pass (Chen et al., "Training deep nets
with sublinear memory cost", arXiv:1604.06174). Losses over the whole batch, such as batch Dice, and
their gradients stay the same up to rounding, except in networks with batch normalization.
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
class MicroBatches:
    """Splits batches before they go through a network.

    Attributes:
        size: samples per micro-batch; 0 for the whole batch.
        largest: size of the largest batch so far.
    """

    size: int = 0
    largest: int = 0

    def forward(
        self,
        network: nn.Module,
        parameters: dict[str, torch.Tensor],
        inputs: Sequence[torch.Tensor],
    ) -> Any:
        """Return the network's output, a tensor or a tuple, for all samples of the inputs."""
        batch_size = len(inputs[0])
        self.largest = max(self.largest, batch_size)
        if not 0 < self.size < batch_size:
            return forward_with(network, parameters, tuple(inputs))
        outputs = [
            checkpoint(forward_with, network, parameters, micro_batch, use_reentrant=False)
            for micro_batch in zip(*(tensor.split(self.size) for tensor in inputs))
        ]
        if isinstance(outputs[0], tuple):
            return tuple(map(torch.cat, zip(*outputs)))
        return torch.cat(outputs)


def forward_with(
    network: nn.Module, parameters: dict[str, torch.Tensor], inputs: tuple[object, ...]
) -> Any:
    """Return the network's output with these parameters in place of its own.

    Parameters are not tied by name: DynUNet registers its blocks under two names, and PyTorch would
    leave the given parameters in the network afterwards.
    """
    return functional_call(network, parameters, inputs, tie_weights=False)
