"""Searchable cells: the softmax-weighted sum of candidate operations.

Liu et al., "DARTS", ICLR 2019, with the candidates of Zhang et al., Nat Commun 2025: convolutions
with kernels 4, 6 and 8 and stride 2 in the encoder, transposed ones in the decoder (``paper``). In
3-D a kernel of 8 has 512 weights per pair of channels; the default is a cheaper set (``light``).

In the published cell all candidates are linear and one normalization follows their sum, so that the
architecture weights scale kernels that could scale themselves. In the other one each candidate has
a normalization and an activation of its own: the weights then choose between functions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from monai.networks.layers.factories import Conv
from torch import nn

from .operations import (
    CONVOLUTION,
    TRANSPOSED,
    PooledConvolution,
    UpsampledConvolution,
    apply_operation,
    strided,
    weighted_sum,
)

Operation = Callable[[int, int, int], nn.Module]


def _strided(kind: str, *kernels: int) -> dict[str, Operation]:
    return {f"kernel {size}": partial(strided, kind, size) for size in kernels}


SEARCH_SPACES: dict[str, dict[str, dict[str, Operation]]] = {
    "paper": {kind: _strided(kind, 4, 6, 8) for kind in (CONVOLUTION, TRANSPOSED)},
    "light": {
        CONVOLUTION: {**_strided(CONVOLUTION, 4), "resized 3": PooledConvolution},
        TRANSPOSED: {**_strided(TRANSPOSED, 4), "resized 3": UpsampledConvolution},
    },
}


_SLOPE = 0.2  # of the activation for negative values


class SearchableCell(nn.Module, ABC):
    """Halves (or doubles) the size with a mixture of operations that the upper level learns.

    Args:
        kind: ``CONVOLUTION`` halves, ``TRANSPOSED`` doubles.
        spatial_dims: 2 or 3.
        inputs: input channels.
        outputs: output channels.
        space: a key of ``SEARCH_SPACES``.
    """

    def __init__(
        self, kind: str, spatial_dims: int, inputs: int, outputs: int, space: str = "light"
    ) -> None:
        super().__init__()
        candidates = SEARCH_SPACES[space][kind]
        self.names = tuple(candidates)
        self.operations = nn.ModuleList(
            build(spatial_dims, inputs, outputs) for build in candidates.values()
        )
        self.architecture = nn.Parameter(torch.zeros(len(candidates)))

    @abstractmethod
    def forward(self, features: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Map features (batch, inputs, *shape) to (batch, outputs, *(shape / 2 or * 2)).

        `noise` (batch, channel, *new shape) modulates them, if the cell makes use of it.
        """

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        state.pop(f"{prefix}chosen", None)  # of earlier versions
        super()._load_from_state_dict(state, prefix, *args)

    def weights(self) -> dict[str, float]:
        """Return the softmax weight of each operation by its name."""
        weights = torch.softmax(self.architecture.detach(), dim=0).tolist()
        return dict(zip(self.names, weights))


class LinearCell(SearchableCell):
    """The published cell: a sum of linear operations, then a normalization and an activation."""

    def __init__(
        self, kind: str, spatial_dims: int, inputs: int, outputs: int, space: str = "light"
    ) -> None:
        super().__init__(kind, spatial_dims, inputs, outputs, space)
        self.activate = nn.Sequential(_normalization(outputs), nn.LeakyReLU(_SLOPE))

    def forward(self, features: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """See `SearchableCell`; noise has no effect here."""
        weights = torch.softmax(self.architecture, dim=0)
        output: torch.Tensor = self.activate(weighted_sum(list(self.operations), weights, features))
        return output


class ModulatedCell(SearchableCell):
    """A sum of operations with a normalization and an activation each, modulated by noise.

    Noise scales and shifts the normalized features, as masks do in SPADE (Park et al., CVPR 2019)
    and styles in AdaIN (Huang and Belongie, ICCV 2017).

    Args:
        kind, spatial_dims, inputs, outputs, space: see `SearchableCell`.
        noise_channels: channels of the noise.
    """

    def __init__(
        self,
        kind: str,
        spatial_dims: int,
        inputs: int,
        outputs: int,
        space: str = "light",
        noise_channels: int = 1,
    ) -> None:
        super().__init__(kind, spatial_dims, inputs, outputs, space)
        self.norms = nn.ModuleList(_normalization(outputs) for _ in self.operations)
        self.modulation = Conv[CONVOLUTION, spatial_dims](noise_channels, 2 * outputs, 1)
        self.activation = nn.LeakyReLU(_SLOPE)

    def forward(self, features: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """See `SearchableCell`."""
        scale, shift = self.modulation(noise).chunk(2, dim=1)
        weights = torch.softmax(self.architecture, dim=0)
        outputs = (
            norm(apply_operation(each, features)) for norm, each in zip(self.norms, self.operations)
        )
        modulated = (self.activation(each * (1 + scale) + shift) for each in outputs)
        terms = [weight * each for weight, each in zip(weights, modulated)]
        return sum(terms[1:], terms[0])


def _normalization(channels: int) -> nn.Module:
    return nn.GroupNorm(min(8, channels), channels)
