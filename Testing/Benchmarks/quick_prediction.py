"""Segments many small images with one model: in training's number format and memory layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from GenSegLib.devices import choose_device, choose_precision, to_device
from GenSegLib.image_io import Volume
from GenSegLib.model_weights import load_segmenter
from GenSegLib.postprocessing import clean
from GenSegLib.preprocessing import Preprocessor
from GenSegLib.sliding import segment

Array = NDArray[Any]


class QuickPredictor:
    """A model as validation sees it; labels agree with those of `Predictor` within rounding.

    Args:
        folder: model folder.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        precision: "auto" or "fp32".
    """

    def __init__(self, folder: Path, device: str = "auto", precision: str = "auto") -> None:
        self.device = choose_device(device)
        self.network, self.metadata = load_segmenter(folder)
        self.preset = self.metadata.preset
        to_device(self.network, self.device, self.preset.spatial_dims)
        self.autocast = choose_precision(self.device, precision)
        self.preprocessor = Preprocessor(self.preset)

    @torch.no_grad()
    def probabilities(self, image: Volume) -> Array:
        """Give the class probabilities (class, x, y, z) on the image's own grid."""
        prepared = self.preprocessor.apply(image)
        voxels = torch.from_numpy(prepared.image)[None].to(self.device)
        with self.autocast():
            shares = segment(self.network, self.preset.patch_size, voxels)
        return self.preprocessor.restore_probabilities(prepared, shares[0].float().cpu().numpy())

    def label(self, probabilities: Array) -> Array:
        """Give the cleaned label (x, y, z) that the probabilities stand for."""
        values = np.asarray(self.metadata.label_values, np.int16)
        return clean(values[probabilities.argmax(axis=0)], self.preset, values[1:].tolist())
