"""Features of whole images from a trained segmenter, to compare images with each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..computing.devices import choose_device, choose_precision
from ..data.preprocessing import Preprocessor
from ..images.volume import Volume
from ..models.weights import load_segmenter
from ..networks.dual_normalization import dual_part
from ..networks.slice_wise import as_window_network
from .sliding_window import seen_windows


class FeatureExtractor:
    """Computes the globally pooled bottleneck of a model's segmenter.

    An image is preprocessed as for a prediction, at the coarse spacing if the preset has one, and
    cut into windows, of which at most 12 evenly spaced ones are used. Features are the mean and the
    standard deviation over all their voxels of each channel at the coarsest level.

    Args:
        model_folder: see `models.folder`.
        device: see `Predictor`.

    Raises:
        GenSegError: the model cannot be read, or the device is not available.
    """

    def __init__(self, model_folder: Path, device: str = "auto") -> None:
        self._device = choose_device(device)
        network, self.metadata = load_segmenter(model_folder, self._device)
        preset = self.metadata.preset
        self._preset = replace(preset, spacing=preset.coarse_spacing or preset.spacing)
        dual = dual_part(network)
        if dual is not None:
            dual.agreement = None  # the features of one set compare images, in half the time
        self._network = as_window_network(network, preset)
        self._precision = choose_precision(self._device, "auto")

    @torch.no_grad()
    def __call__(self, image: Volume) -> NDArray[np.float64]:
        """Return the features (2 * channel,) of an image (channel, x, y, z).

        Raises:
            GenSegError: the image has NaN voxels, or would be too large after resampling.
        """
        prepared = Preprocessor(self._preset).apply(image)
        windows = seen_windows(self._preset, torch.from_numpy(prepared.image)[None])
        parts = [self._bottleneck(window) for window in windows]
        both = torch.cat(parts, dim=1)
        return torch.cat([both.mean(1), both.std(1)]).cpu().numpy().astype(np.float64)

    def _bottleneck(self, window: Tensor) -> Tensor:
        """Return the values (channel, voxel) at the coarsest level of the network."""
        with _coarsest_output(self._network) as found, self._precision():
            self._network(window.to(self._device))
        values = found[0].float()
        return values.movedim(1, 0).flatten(1)


@contextmanager
def _coarsest_output(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the output (batch, channel, *shape) with the fewest voxels, of the last such layer.

    Every convolutional segmenter of the registry has its bottleneck there.
    """
    found: list[Tensor] = []

    def keep(_: nn.Module, __: Sequence[Tensor], output: Tensor) -> None:
        if not found or _voxels(output) <= _voxels(found[0]):
            found[:] = [output]

    kinds = (nn.Conv2d, nn.Conv3d)
    hooks = [m.register_forward_hook(keep) for m in network.modules() if isinstance(m, kinds)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _voxels(output: Tensor) -> int:
    return math.prod(output.shape[2:])
