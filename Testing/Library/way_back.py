"""Labels and probabilities brought back to the grid of their image, as predictions are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from GenSegLib.data.preprocessing import Prepared
from GenSegLib.images.geometry import Array
from GenSegLib.images.image_io import Volume
from GenSegLib.images.resampling import along_axis, spans
from GenSegLib.prediction.canvas import Canvas
from GenSegLib.prediction.coarse import whole
from GenSegLib.prediction.restoring import Restorer


def brought_back(
    image: Volume,
    prepared: Prepared,
    shares: Array,
    values: Sequence[int],
    along: int = 0,
    thickness: int = 5,
) -> Canvas:
    """Bring (class, x, y, z) probabilities back slab by slab, with all that is made of them."""
    ends = spans(shares.shape[1 + along], thickness)
    slabs = [(start, stop, shares[along_axis(along, start, stop)]) for start, stop in ends]
    canvas = Canvas(image.shape, values, probabilities=True, uncertainty=True)
    canvas.fill(whole(image), Restorer(prepared.route, along), slabs)
    return canvas


def label_brought_back(image: Volume, prepared: Prepared) -> Array:
    """Bring the prepared label back: each class is as probable as it is there."""
    assert prepared.label is not None
    values = [int(value) for value in np.union1d(prepared.label, 0)]
    shares = np.stack([prepared.label == value for value in values]).astype(np.float32)
    return brought_back(image, prepared, shares, values).label
