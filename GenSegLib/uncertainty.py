"""How sure a model is of each voxel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAME_ENDING = "_uncertainty"


def normalized_entropy(probabilities: NDArray[Any]) -> NDArray[np.float32]:
    """Give the entropy of class probabilities, from 0 (sure) to 1 (all classes equally likely).

    Args:
        probabilities: (class, x, y, z), two classes or more, that sum to 1.

    Returns:
        (x, y, z), Shannon's entropy divided by the logarithm of the number of classes.
    """
    entropy = np.zeros(probabilities.shape[1:], np.float32)
    for share in probabilities:
        entropy -= share * np.log(np.maximum(share, np.finfo(np.float32).tiny))
    return np.clip(entropy / math.log(len(probabilities)), 0, 1).astype(np.float32)
