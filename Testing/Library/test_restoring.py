from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grids import affines, ball, make_affine, orientations
from hypothesis import given, settings
from hypothesis import strategies as st
from way_back import brought_back

from GenSegLib.data.preprocessing import Prepared, Preprocessor
from GenSegLib.images.geometry import Array
from GenSegLib.images.image_io import Volume
from GenSegLib.presets import load_preset

PRESET = load_preset("hippocampus-mri")
VALUES = (0, 2, 5)


def bright_block(affine: np.ndarray, size: tuple[int, ...]) -> Volume:
    bright = ball(affine, size) > 0
    return Volume((10 + 90 * bright).astype(np.float32)[np.newaxis], affine)


def drawn_shares(prepared: Prepared, seed: int = 0) -> Array:
    random = np.random.default_rng(seed)
    shares = random.dirichlet([1] * len(VALUES), prepared.image.shape[1:])
    return np.moveaxis(shares, -1, 0).astype(np.float32)


def all_at_once(prepared: Prepared, shares: Array) -> Array:
    """Take (class, x, y, z) probabilities back as dense volumes; beyond them is background."""
    moved = [prepared.route.backward(each[np.newaxis], k == 0) for k, each in enumerate(shares)]
    return np.concatenate(moved)


@given(
    affines,
    orientations,
    st.tuples(*[st.integers(4, 20)] * 3),
    st.one_of(st.none(), st.tuples(*[st.floats(0.5, 3)] * 3)),
    st.booleans(),
    st.integers(0, 2),
    st.integers(1, 12),
)
@settings(max_examples=60)
def test_slabs_come_back_as_the_whole_does(
    affine: np.ndarray,
    orientation: str,
    size: tuple[int, int, int],
    spacing: tuple[float, float, float] | None,
    crop: bool,
    along: int,
    thickness: int,
) -> None:
    preset = replace(PRESET, orientation=orientation, spacing=spacing, crop_foreground=crop)
    image = bright_block(affine, size)
    prepared = Preprocessor(preset).apply(image)
    shares = drawn_shares(prepared)
    canvas = brought_back(image, prepared, shares, VALUES, along, thickness)
    dense = all_at_once(prepared, shares)
    assert canvas.probabilities is not None
    np.testing.assert_allclose(canvas.probabilities, dense, atol=1e-5)
    highest = np.sort(dense, axis=0)
    is_clear = highest[-1] - highest[-2] > 1e-4
    expected = np.array(VALUES)[dense.argmax(axis=0)]
    assert (canvas.label == expected)[is_clear].all()


@pytest.mark.parametrize("along", [0, 1, 2])
def test_what_was_cropped_away_is_surely_background(along: int) -> None:
    values = np.zeros((1, 40, 40, 40), np.float32)
    values[0, 10:20, 10:20, 10:20] = 100
    image = Volume(values, make_affine("PIL"))
    prepared = Preprocessor(replace(PRESET, spacing=None, crop_foreground=True)).apply(image)
    shares = np.zeros((3, *prepared.image.shape[1:]), np.float32)
    shares[1] = 1
    canvas = brought_back(image, prepared, shares, VALUES, along)
    assert canvas.probabilities is not None
    assert canvas.uncertainty is not None
    assert canvas.probabilities[:, 0, 0, 0].tolist() == [1, 0, 0]
    assert canvas.probabilities[:, 15, 15, 15].tolist() == [0, 1, 0]
    assert not canvas.uncertainty.any()
    assert (canvas.label[6:24, 6:24, 6:24] == 2).all()
    assert np.count_nonzero(canvas.label) == 18**3
