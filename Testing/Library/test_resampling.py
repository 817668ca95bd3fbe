from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from GenSegLib.images.resampling import (
    Axis,
    along_axis,
    resample,
    resample_slab,
    spans,
    target_size,
)

counts = st.integers(1, 24)
scales = st.one_of(st.just(1.0), st.floats(0.2, 5.0))


@st.composite
def resamplings(draw: st.DrawFn) -> tuple[np.ndarray, list[Axis]]:
    source = [draw(counts) for _ in range(3)]
    steps = [draw(scales) for _ in range(3)]
    axes = [Axis(n, target_size(n, scale), scale) for n, scale in zip(source, steps)]
    array = np.random.default_rng(draw(st.integers(0, 99))).normal(0, 1, (2, *source))
    return array.astype(np.float32), axes


@given(resamplings(), st.integers(0, 2), st.integers(1, 9))
@settings(max_examples=60)
def test_slabs_are_those_of_the_whole(
    case: tuple[np.ndarray, list[Axis]], along: int, thickness: int
) -> None:
    array, axes = case
    whole = resample(array, [axis.size for axis in axes], [axis.scale for axis in axes])
    for start, stop in spans(axes[along].size, thickness):
        part = array[along_axis(along, *axes[along].reach(start, stop))]
        slab = resample_slab(part, axes, along, start, stop)
        np.testing.assert_allclose(slab, whole[along_axis(along, start, stop)], atol=1e-5)


@given(resamplings(), st.sampled_from("CF"))
@settings(max_examples=40)
def test_the_order_in_memory_and_the_voxel_type_change_nothing(
    case: tuple[np.ndarray, list[Axis]], order: str
) -> None:
    array, axes = case
    whole_numbers = np.rint(100 * array).astype(np.int16)
    size, scale = [axis.size for axis in axes], [axis.scale for axis in axes]
    expected = resample(whole_numbers.astype(np.float64), size, scale)
    turned = np.array(whole_numbers[:, ::-1], order=order)[:, ::-1]
    np.testing.assert_allclose(resample(turned, size, scale), expected, atol=1e-3)


@given(counts, scales)
def test_each_new_voxel_is_a_weighted_mean_of_old_ones(source: int, scale: float) -> None:
    axis = Axis(source, target_size(source, scale), scale)
    matrix = axis.matrix(0, axis.size)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-5)
