"""Searchable cells: the softmax-weighted sum of candidate operations.

Liu et al., "DARTS", ICLR 2019, with the candidates of Zhang et al., Nat Commun 2025: convolutions
with kernels 4, 6 and 8 and stride 2 in the encoder, transposed ones in the decoder (``paper``). In
3-D a kernel of 8 has 512 weights per pair of channels; the default is a cheaper set (``light``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from .operations import (
    CONVOLUTION,
    TRANSPOSED,
    PooledConvolution,
    UpsampledConvolution,
    strided,
    weighted_sum,
)

Operation = Callable[[int, int, int], nn.Module]


def _strided(kind: str, *kernels: int) -> dict[str, Operation]:
    return {f"kernel {size}": partial(strided, kind, size) for size in kernels}


SEARCH_SPACES: dict[str, dict[str, dict[str, Operation]]] = {
    "paper": {kind: _strided(kind, 4, 6, 8) for kind in (CONVOLUTION, TRANSPOSED)},
    "light": {
        CONVOLUTION: {**_strided(CONVOLUTION, 2, 4), "resized 3": PooledConvolution},
        TRANSPOSED: {**_strided(TRANSPOSED, 2, 4), "resized 3": UpsampledConvolution},
    },
}


class SearchableCell(nn.Module):
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
        self.activate = nn.Sequential(nn.GroupNorm(min(8, outputs), outputs), nn.LeakyReLU(0.2))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (batch, inputs, *shape) to (batch, outputs, *(shape / 2 or * 2))."""
        weights = torch.softmax(self.architecture, dim=0)
        return self.activate(weighted_sum(list(self.operations), weights, features))

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        state.pop(f"{prefix}chosen", None)  # of earlier versions
        super()._load_from_state_dict(state, prefix, *args)

    def weights(self) -> dict[str, float]:
        """Return the softmax weight of each operation by its name."""
        weights = torch.softmax(self.architecture.detach(), dim=0).tolist()
        return dict(zip(self.names, weights))
