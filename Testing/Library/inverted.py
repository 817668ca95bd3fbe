"""Labels and probabilities mapped back to the grid of their image, as predictions are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from GenSegLib.data.preprocessing import PreprocessedImage
from GenSegLib.images.geometry import Array, full_box
from GenSegLib.images.resampling import along_axis, spans
from GenSegLib.images.volume import Volume
from GenSegLib.prediction.accumulator import OutputAccumulator
from GenSegLib.prediction.inversion import SlabInverter


def invert_slabs(
    image: Volume,
    prepared: PreprocessedImage,
    probabilities: Array,
    values: Sequence[int],
    along: int = 0,
    thickness: int = 5,
    dense: bool = True,
) -> OutputAccumulator:
    """Map (class, x, y, z) probabilities back slab by slab, to all outputs or to a label alone."""
    ends = spans(probabilities.shape[1 + along], thickness)
    slabs = [(start, stop, probabilities[along_axis(along, start, stop)]) for start, stop in ends]
    outputs = OutputAccumulator(image.shape, values, probabilities=dense, uncertainty=dense)
    outputs.add(full_box(image.shape), SlabInverter(prepared.transform, along), slabs)
    return outputs


def inverted_label(image: Volume, prepared: PreprocessedImage) -> Array:
    """Map the preprocessed label back via one-hot probabilities."""
    assert prepared.label is not None
    values = [int(value) for value in np.union1d(prepared.label, 0)]
    one_hot = np.stack([prepared.label == value for value in values]).astype(np.float32)
    return invert_slabs(image, prepared, one_hot, values).label
