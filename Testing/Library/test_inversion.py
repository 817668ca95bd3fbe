"""Class probabilities mapped back to the image's own grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grids import affines, ball, make_affine, orientations
from hypothesis import given, settings
from hypothesis import strategies as st
from inverted import invert_slabs

from GenSegLib.data.preprocessing import Preprocessor
from GenSegLib.images.volume import Volume
from GenSegLib.presets import load_preset

PRESET = load_preset("hippocampus-mri")
VALUES = (0, 2, 5)


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
def test_inverting_slabs_equals_inverting_the_whole_image(
    affine: np.ndarray,
    orientation: str,
    size: tuple[int, int, int],
    spacing: tuple[float, float, float] | None,
    crop: bool,
    along: int,
    thickness: int,
) -> None:
    preset = replace(PRESET, orientation=orientation, spacing=spacing, crop_foreground=crop)
    bright = ball(affine, size) > 0
    image = Volume((10 + 90 * bright).astype(np.float32)[np.newaxis], affine)
    prepared = Preprocessor(preset).apply(image)
    random = np.random.default_rng(0).dirichlet([1] * len(VALUES), prepared.image.shape[1:])
    probabilities = np.moveaxis(random, -1, 0).astype(np.float32)
    outputs = invert_slabs(image, prepared, probabilities, VALUES, along, thickness)
    dense = np.concatenate(
        [
            prepared.transform.backward(each[np.newaxis], index == 0)
            for index, each in enumerate(probabilities)
        ]
    )
    assert outputs.probabilities is not None
    np.testing.assert_allclose(outputs.probabilities, dense, atol=1e-5)
    ranked = np.sort(dense, axis=0)
    no_tie = ranked[-1] - ranked[-2] > 1e-4
    assert (outputs.label == np.array(VALUES)[dense.argmax(axis=0)])[no_tie].all()


@given(affines, st.tuples(*[st.floats(0.4, 2)] * 3), st.integers(0, 2), st.integers(0, 99))
@settings(max_examples=40)
def test_a_label_alone_equals_the_most_probable_class_of_all_probabilities(
    affine: np.ndarray, spacing: tuple[float, float, float], along: int, seed: int
) -> None:
    image = Volume(np.ones((1, 14, 11, 9), np.float32), affine)
    prepared = Preprocessor(replace(PRESET, spacing=spacing)).apply(image)
    random = np.random.default_rng(seed)
    # background almost everywhere, as around organs; blocks of it, so that some slabs are empty
    weights = random.gamma(0.3, size=(*prepared.image.shape[1:], len(VALUES))) + 1e-3
    weights[: len(weights) // 2, ..., 0] += random.choice([0, 20])
    random = weights / weights.sum(axis=-1, keepdims=True)
    probabilities = np.moveaxis(random, -1, 0).astype(np.float32)
    whole = invert_slabs(image, prepared, probabilities, VALUES, along)
    label = invert_slabs(image, prepared, probabilities, VALUES, along, dense=False).label
    assert whole.probabilities is not None
    ranked = np.sort(whole.probabilities, axis=0)
    no_tie = ranked[-1] - ranked[-2] > 1e-5
    assert (label == whole.label)[no_tie].all()


@pytest.mark.parametrize("along", [0, 1, 2])
def test_cropped_voxels_are_background_with_certainty(along: int) -> None:
    values = np.zeros((1, 40, 40, 40), np.float32)
    values[0, 10:20, 10:20, 10:20] = 100
    image = Volume(values, make_affine("PIL"))
    prepared = Preprocessor(replace(PRESET, spacing=None, crop_foreground=True)).apply(image)
    probabilities = np.zeros((3, *prepared.image.shape[1:]), np.float32)
    probabilities[1] = 1
    outputs = invert_slabs(image, prepared, probabilities, VALUES, along)
    assert outputs.probabilities is not None
    assert outputs.uncertainty is not None
    assert outputs.probabilities[:, 0, 0, 0].tolist() == [1, 0, 0]
    assert outputs.probabilities[:, 15, 15, 15].tolist() == [0, 1, 0]
    assert not outputs.uncertainty.any()
    assert (outputs.label[6:24, 6:24, 6:24] == 2).all()
    assert np.count_nonzero(outputs.label) == 18**3
