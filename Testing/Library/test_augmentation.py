"""Augmentation of batches: image and label move together, strengths mean what they say."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from GenSegLib.augmentation.intensity import (
    bias_field,
    contrast,
    gamma,
    gaussian_blur,
    low_resolution,
    noise,
)
from GenSegLib.augmentation.policy import Policy, augment
from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.augmentation.spatial import (
    SpatialStrength,
    deform,
    identity_grid,
    one_hot,
    random_grid,
)
from GenSegLib.presets import load_preset

SHAPES = {2: (24, 32), 3: (16, 24, 20)}
CHANGES = (contrast, gamma, noise, bias_field)


def randomness(seed: int = 0) -> Randomness:
    return Randomness(torch.Generator().manual_seed(seed))


def block(dims: int, batch: int = 2) -> torch.Tensor:
    """Labels with a block of 1 beside a block of 2."""
    labels = torch.zeros(batch, 1, *SHAPES[dims], dtype=torch.long)
    labels[:, :, 4:10, 6:18] = 1
    labels[:, :, 10:14, 6:18] = 2
    return labels


@pytest.mark.parametrize("dims", [2, 3])
def test_no_strength_changes_nothing(dims: int) -> None:
    labels = block(dims)
    images = torch.randn(2, 2, *SHAPES[dims])
    still = SpatialStrength(0.0, 0.0, 0.0, 0.0)
    grid = random_grid(randomness(), 2, SHAPES[dims], still)
    moved, moved_labels = deform(images, labels, 3, grid)
    torch.testing.assert_close(moved, images, atol=1e-4, rtol=1e-4)
    assert torch.equal(moved_labels, labels)


@pytest.mark.parametrize("dims", [2, 3])
def test_image_and_label_move_together(dims: int) -> None:
    labels = block(dims)
    grid = random_grid(randomness(), 2, SHAPES[dims], SpatialStrength(elastic=0.02))
    images, moved = deform((labels > 0).float(), labels, 3, grid)
    assert not torch.equal(moved, labels)
    assert ((images > 0.5) == (moved > 0)).float().mean() > 0.99


def test_rotations_are_rigid_on_boxes_with_unequal_sides() -> None:
    shape = (20, 60)
    labels = torch.zeros(64, 1, *shape, dtype=torch.long)
    labels[:, :, 6:14, 26:34] = 1
    strength = SpatialStrength(rotation=0.8, scale=0, translation=0, elastic=0, probability=1.0)
    _, moved = deform(labels.float(), labels, 2, random_grid(randomness(), 64, shape, strength))
    assert moved.flatten(1).sum(1).float().sub(64).abs().max() <= 10


def test_half_of_the_samples_are_mirrored_along_an_axis_that_may_be() -> None:
    labels = block(2, batch=32)
    strength = SpatialStrength(0, 0, 0, 0, mirror_axes=(0,), probability=1.0)
    _, moved = deform(labels.float(), labels, 3, random_grid(randomness(), 32, SHAPES[2], strength))
    flipped = [torch.equal(sample, labels[0].flip(1)) for sample in moved]
    kept = [torch.equal(sample, labels[0]) for sample in moved]
    assert any(flipped) and any(kept)
    assert all(a or b for a, b in zip(flipped, kept))


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_differentiable_in_its_strength(change: type) -> None:
    strength = torch.tensor(0.2, requires_grad=True)
    images = torch.randn(2, 1, *SHAPES[3])
    change(images, strength, randomness()).square().mean().backward()
    assert strength.grad is not None and strength.grad.abs() > 0


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_strength_zero_is_none(change: type) -> None:
    images = torch.randn(2, 1, *SHAPES[3])
    torch.testing.assert_close(change(images, 0.0, randomness()), images, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dims", [2, 3])
def test_blur_and_low_resolution_smooth_but_keep_the_mean(dims: int) -> None:
    images = torch.randn(2, 2, *SHAPES[dims])
    for smoothed in (gaussian_blur(images, 1.0), low_resolution(images, 2.0)):
        assert smoothed.shape == images.shape
        assert smoothed.std() < 0.7 * images.std()
        assert abs(float(smoothed.mean() - images.mean())) < 0.02


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("dims", [2, 3])
def test_blur_is_a_gaussian_of_three_deviations_with_the_border_kept(
    dims: int, sigma: float
) -> None:
    images = torch.randn(2, 2, *SHAPES[dims], dtype=torch.float64)
    radius, axes = max(1, round(3 * sigma)), tuple(range(2, 2 + dims))
    expected = gaussian_filter(images, sigma, mode="nearest", radius=radius, axes=axes)
    torch.testing.assert_close(gaussian_blur(images, sigma), torch.from_numpy(expected))


@pytest.mark.parametrize("factor", [1.2, 1.7, 40.0])
@pytest.mark.parametrize("dims", [2, 3])
def test_low_resolution_is_linear_interpolation_there_and_back(dims: int, factor: float) -> None:
    images, shape = torch.randn(2, 2, *SHAPES[dims]), SHAPES[dims]
    coarse = [max(1, round(size / factor)) for size in shape]
    mode = {2: "bilinear", 3: "trilinear"}[dims]
    expected = F.interpolate(F.interpolate(images, size=coarse, mode=mode), size=shape, mode=mode)
    torch.testing.assert_close(low_resolution(images, factor), expected)


def test_the_same_seed_gives_the_same_batch() -> None:
    images, labels = torch.randn(2, 1, *SHAPES[3]), block(3)
    first, second = (augment(images, labels, 3, Policy(), randomness(5)) for _ in range(2))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    other = augment(images, labels, 3, Policy(), randomness(6))
    assert not torch.equal(first[0], other[0])


def test_only_mr_presets_get_a_bias_field() -> None:
    assert Policy.of(load_preset("hippocampus-mri")).bias_field > 0
    assert Policy.of(load_preset("liver-ct")).bias_field == 0


def test_cases_are_mirrored_where_the_preset_says_so_and_anything_is_to_change() -> None:
    policy = Policy.of(replace(load_preset("liver-ct"), mirror_axes=(0, 2)))
    assert policy.scaled(1.5).spatial.mirror_axes == (0, 2)
    images, labels = torch.randn(8, 1, *SHAPES[3]), block(3, batch=8)
    same, kept = augment(images, labels, 3, policy.scaled(0), randomness())
    torch.testing.assert_close(same, images, atol=1e-4, rtol=1e-4)
    assert torch.equal(kept, labels)


def test_one_hot_masks_add_up_to_one() -> None:
    masks = one_hot(block(3), 3)
    assert torch.equal(masks.sum(1), torch.ones_like(masks[:, 0]))
    assert torch.equal(masks.argmax(1, keepdim=True), block(3))


def test_the_identity_grid_samples_voxel_centers() -> None:
    images = torch.randn(1, 1, *SHAPES[3])
    moved, _ = deform(images, block(3, 1), 3, identity_grid(SHAPES[3]))
    torch.testing.assert_close(moved, images, atol=1e-4, rtol=1e-4)
