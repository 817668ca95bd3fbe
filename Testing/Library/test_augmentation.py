"""Augmentation of batches: images and labels are deformed together, strengths are respected."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from GenSegLib.augmentation.intensity import gaussian_blur, low_resolution, thick_slices
from GenSegLib.augmentation.policy import INTENSITY_TRANSFORMS, AugmentationPolicy, augment
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.spatial import (
    SpatialStrength,
    deform,
    identity_grid,
    one_hot,
    random_grid,
)
from GenSegLib.presets import load_preset

SHAPES = {2: (24, 32), 3: (16, 24, 20)}


def two_blocks(dims: int, batch: int = 2) -> torch.Tensor:
    """Labels with a block of 1 beside a block of 2."""
    labels = torch.zeros(batch, 1, *SHAPES[dims], dtype=torch.long)
    labels[:, :, 4:10, 6:18] = 1
    labels[:, :, 10:14, 6:18] = 2
    return labels


@pytest.mark.parametrize("dims", [2, 3])
def test_deformation_of_zero_strength_is_the_identity(dims: int) -> None:
    labels = two_blocks(dims)
    images = torch.randn(2, 2, *SHAPES[dims])
    grid = random_grid(RandomGenerator(0), 2, SHAPES[dims], SpatialStrength(0.0, 0.0, 0.0, 0.0))
    warped, warped_labels = deform(images, labels, 3, grid)
    torch.testing.assert_close(warped, images, atol=1e-4, rtol=1e-4)
    assert torch.equal(warped_labels, labels)


@pytest.mark.parametrize("dims", [2, 3])
def test_image_and_label_are_deformed_together(dims: int) -> None:
    labels = two_blocks(dims)
    grid = random_grid(RandomGenerator(0), 2, SHAPES[dims], SpatialStrength(elastic=0.02))
    images, warped = deform((labels > 0).float(), labels, 3, grid)
    assert not torch.equal(warped, labels)
    assert ((images > 0.5) == (warped > 0)).float().mean() > 0.99


def test_rotations_are_rigid_on_boxes_with_unequal_sides() -> None:
    shape = (20, 60)
    labels = torch.zeros(64, 1, *shape, dtype=torch.long)
    labels[:, :, 6:14, 26:34] = 1
    strength = SpatialStrength(rotation=0.8, scale=0, translation=0, elastic=0, probability=1.0)
    _, warped = deform(
        labels.float(), labels, 2, random_grid(RandomGenerator(0), 64, shape, strength)
    )
    assert warped.flatten(1).sum(1).float().sub(64).abs().max() <= 10


@pytest.mark.parametrize(
    ("shape", "spacing"), [((33, 33), None), ((33, 33, 4), (1.0, 1.0, 8.0))], ids=["2-D", "slices"]
)
def test_slices_are_turned_by_any_angle(
    shape: tuple[int, ...], spacing: tuple[float, ...] | None
) -> None:
    labels = torch.zeros(64, 1, *shape, dtype=torch.long)
    labels[:, :, 14:19, 26:31] = 1
    strength = SpatialStrength(0, 0, 0, 0, probability=1.0, turned=0.75, spacing=spacing)
    _, warped = deform(
        labels.float(), labels, 2, random_grid(RandomGenerator(0), 64, shape, strength)
    )
    centers = torch.stack([each.nonzero()[:, 1:3].float().mean(0) - 16 for each in warped])
    angles = torch.atan2(centers[:, 0], centers[:, 1])
    turned = angles[angles.abs() > 0.01]
    assert 36 <= len(turned) <= 60
    assert (turned.sort().values.diff() < math.pi / 4).all() and turned.abs().max() > 2.8


def test_volumes_without_thick_slices_are_not_turned() -> None:
    shape = (16, 16, 16)
    strength = SpatialStrength(0, 0, 0, 0, probability=1.0, turned=1.0)
    grid = random_grid(RandomGenerator(0), 2, shape, strength)
    torch.testing.assert_close(grid, identity_grid(shape).expand(2, -1, -1, -1, -1))


def test_half_of_the_samples_are_mirrored_along_a_mirror_axis() -> None:
    labels = two_blocks(2, batch=32)
    strength = SpatialStrength(0, 0, 0, 0, mirror_axes=(0,), probability=1.0)
    grid = random_grid(RandomGenerator(0), 32, SHAPES[2], strength)
    _, warped = deform(labels.float(), labels, 3, grid)
    mirrored = [torch.equal(sample, labels[0].flip(1)) for sample in warped]
    unchanged = [torch.equal(sample, labels[0]) for sample in warped]
    assert 8 <= sum(mirrored) <= 24
    assert sum(mirrored) + sum(unchanged) == 32


@pytest.mark.parametrize("name", INTENSITY_TRANSFORMS)
def test_intensity_transforms_are_the_identity_at_zero_and_differentiable(name: str) -> None:
    transform = INTENSITY_TRANSFORMS[name]
    images = torch.randn(2, 3, *SHAPES[2])
    torch.testing.assert_close(
        transform(images, 0.0, RandomGenerator(0)), images, atol=1e-4, rtol=1e-4
    )
    strength = torch.tensor(0.2, requires_grad=True)
    changed = transform(images, strength, RandomGenerator(0))
    changed[
        :, 0
    ].square().mean().backward()  # a rotation of hues leaves the sum over colors as it is
    assert strength.grad is not None and strength.grad.abs() > 0


@pytest.mark.parametrize(("dims", "sigma"), [(2, 0.4), (3, 1.0), (3, 2.5)])
def test_blur_is_a_gaussian_truncated_at_three_sigma(dims: int, sigma: float) -> None:
    images = torch.randn(2, 2, *SHAPES[dims], dtype=torch.float64)
    radius, axes = max(1, round(3 * sigma)), tuple(range(2, 2 + dims))
    expected = gaussian_filter(images, sigma, mode="nearest", radius=radius, axes=axes)
    torch.testing.assert_close(gaussian_blur(images, sigma), torch.from_numpy(expected))


@pytest.mark.parametrize(("dims", "factor"), [(2, 1.2), (3, 1.7), (3, 40.0)])
def test_low_resolution_is_linear_down_and_upsampling(dims: int, factor: float) -> None:
    images, shape = torch.randn(2, 2, *SHAPES[dims]), SHAPES[dims]
    coarse = [max(1, round(size / factor)) for size in shape]
    mode = {2: "bilinear", 3: "trilinear"}[dims]
    expected = F.interpolate(F.interpolate(images, size=coarse, mode=mode), size=shape, mode=mode)
    torch.testing.assert_close(low_resolution(images, factor), expected)


@pytest.mark.parametrize(("axis", "size", "factor"), [(0, 8, 4.0), (2, 9, 3.0)])
def test_thick_slices_are_averages_with_interpolation_in_between(
    axis: int, size: int, factor: float
) -> None:
    shape = [6, 6, 6]
    shape[axis] = size
    images = torch.randn(2, 1, *shape)
    lines = images.movedim(2 + axis, -1)
    slices = lines.reshape(*lines.shape[:-1], -1, int(factor)).mean(-1)
    expected = F.interpolate(slices.flatten(0, 2), size=size, mode="linear").reshape(lines.shape)
    found = thick_slices(images, axis, factor)
    torch.testing.assert_close(found.movedim(2 + axis, -1), expected)


def test_slices_of_other_scanners_are_thick_in_mm_and_in_volumes_only() -> None:
    def policy(spacing: tuple[float, ...]) -> AugmentationPolicy:
        return AugmentationPolicy(SpatialStrength(spacing=spacing)).for_other_scanners()

    assert policy((1.0, 2.0, 8.0)).thickest == (6.0, 3.0, 1.0)
    assert policy((1.0, 1.0)).thickest == ()


def test_augmentation_is_determined_by_the_seed() -> None:
    images, labels = torch.randn(2, 1, *SHAPES[3]), two_blocks(3)
    policy = AugmentationPolicy()
    first, again, other = (
        augment(images, labels, 3, policy, RandomGenerator(s)) for s in (5, 5, 6)
    )
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_geometric_augmentation_moves_voxels_and_keeps_their_values() -> None:
    labels = two_blocks(3)
    images = torch.zeros_like(labels, dtype=torch.float32)
    images[:, :, 4:8] = 1.0
    policy = AugmentationPolicy().geometric()
    moved, _ = augment(images, labels, 3, policy, RandomGenerator(0))
    assert not torch.equal(moved, images)
    assert float(moved.max()) <= 1.0 and float(moved.min()) >= 0.0
    assert policy.probability == 0


def test_only_mr_presets_have_a_bias_field() -> None:
    assert AugmentationPolicy.for_preset(load_preset("hippocampus-mri")).bias_field > 0
    assert AugmentationPolicy.for_preset(load_preset("liver-ct")).bias_field == 0


def test_mirror_axes_of_a_preset_apply_unless_augmentation_is_off() -> None:
    preset = replace(load_preset("liver-ct"), mirror_axes=(0, 2))
    policy = AugmentationPolicy.for_preset(preset)
    assert policy.scaled(1.5).spatial.mirror_axes == (0, 2)
    images, labels = torch.randn(8, 1, *SHAPES[3]), two_blocks(3, batch=8)
    same, same_labels = augment(images, labels, 3, policy.scaled(0), RandomGenerator(0))
    torch.testing.assert_close(same, images, atol=1e-4, rtol=1e-4)
    assert torch.equal(same_labels, labels)


def test_one_hot_masks_sum_to_one() -> None:
    masks = one_hot(two_blocks(3), 3)
    assert torch.equal(masks.sum(1), torch.ones_like(masks[:, 0]))
    assert torch.equal(masks.argmax(1, keepdim=True), two_blocks(3))
