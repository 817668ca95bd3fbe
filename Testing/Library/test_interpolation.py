"""Interpolation: midpoints keep detail, volume and range; control points are linear."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from GenSegLib.augmentation.features import InMemoryFeatures, MidpointFeatures, build_features
from GenSegLib.augmentation.interpolation import (
    interpolate_control_points,
    sample,
    sample_with_midpoints,
    with_midpoints,
)
from GenSegLib.augmentation.spatial import deform, identity_grid
from GenSegLib.data.training_case import InMemoryCase

SHAPE = (16, 24, 20)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def half_voxel_grid() -> torch.Tensor:
    """The identity grid, shifted by half a voxel along each axis."""
    return identity_grid(SHAPE) + torch.tensor([1 / (size - 1) for size in reversed(SHAPE)])


def ball(radius: float) -> torch.Tensor:
    axes = [torch.arange(size) - (size - 1) / 2 for size in SHAPE]
    squares = sum(axis**2 for axis in torch.meshgrid(*axes, indexing="ij"))
    return (squares <= radius**2).long()[None, None]


@pytest.mark.parametrize("shape", [(9, 14), SHAPE, (1, 5, 2)], ids=["plane", "volume", "thin"])
def test_voxels_stay_between_midpoints(shape: tuple[int, ...]) -> None:
    volume = noise(2, 3, *shape)
    finer = with_midpoints(volume)
    assert finer.shape[2:] == tuple(2 * size - 1 for size in shape)
    torch.testing.assert_close(finer[(..., *[slice(None, None, 2)] * len(shape))], volume)


def test_midpoints_reproduce_waves_and_constants() -> None:
    positions = torch.arange(59) / 2
    wave = torch.sin(2 * math.pi * positions / 6).reshape(1, 1, -1, 1)
    error = (with_midpoints(wave[:, :, ::2]) - wave)[:, :, 6:-6]
    assert float(error.abs().max()) < 0.02
    constant = torch.full((1, 2, *SHAPE), 3.7)
    torch.testing.assert_close(with_midpoints(constant), torch.full((1, 2, 31, 47, 39), 3.7))


def test_midpoints_keep_detail_of_images_and_volume_of_masks() -> None:
    volume, grid = noise(1, 1, *SHAPE), half_voxel_grid()
    assert sample_with_midpoints(volume, grid).std() > 1.5 * sample(volume, grid).std()
    mask = ball(6.0)
    _, warped = deform(mask.float(), mask, 2, grid)
    linear = sample(mask.float(), grid) > 0.5
    assert abs(int(warped.sum() - mask.sum())) < abs(int(linear.sum() - mask.sum()))


def test_sampled_values_stay_in_the_range_of_the_voxels() -> None:
    window = (noise(2, 1, *SHAPE) > 0).float()
    assert float(with_midpoints(window).max()) > 1
    sampled = sample_with_midpoints(window, half_voxel_grid().expand(2, -1, -1, -1, -1))
    assert 0 <= float(sampled.min()) <= float(sampled.max()) <= 1


def test_channels_and_grids_are_independent() -> None:
    volume, grid = noise(1, 9, *SHAPE), half_voxel_grid()
    channels = [sample_with_midpoints(volume[:, k : k + 1], grid) for k in range(9)]
    both = sample_with_midpoints(volume, torch.cat([grid, identity_grid(SHAPE)]))
    torch.testing.assert_close(both[:1], torch.cat(channels, dim=1))
    torch.testing.assert_close(both[1:], volume)


def test_features_do_not_depend_on_how_they_are_computed() -> None:
    half = (torch.tensor(SHAPE) - 1) / 2
    case = noise(3, *SHAPE), half, half
    points = half_voxel_grid()
    part = (slice(None), slice(5, 9), slice(7, 16), slice(8, 13))
    whole = MidpointFeatures(*case).at(points)
    torch.testing.assert_close(InMemoryFeatures(*case).at(points), whole, atol=1e-5, rtol=1e-4)
    inside = InMemoryFeatures(*case).at(points[part])
    # a region's range is narrower, and overshoots are clipped to it
    agree = (whole[(slice(None), *part)] - inside).abs() < 1e-4
    assert float(agree.float().mean()) > 0.95


@pytest.mark.parametrize(("small", "kind"), [(2**20, MidpointFeatures), (100, InMemoryFeatures)])
def test_midpoints_are_precomputed_for_small_cases_only(small: int, kind: type) -> None:
    case = InMemoryCase("ball", noise(1, *SHAPE), ball(6.0)[0, 0], (1.0, 1.0, 1.0))
    middle = torch.tensor(SHAPE) / 2
    assert isinstance(build_features(case, 2, 12.0, middle, middle, small), kind)


@pytest.mark.parametrize(
    ("points", "shape", "mode"),
    [((4, 6), (9, 20), "bilinear"), ((5, 3, 7), (12, 3, 32), "trilinear")],
    ids=["plane", "volume"],
)
def test_control_points_are_interpolated_linearly(
    points: tuple[int, ...], shape: tuple[int, ...], mode: str
) -> None:
    values = torch.randn(2, 3, *points)
    expected = F.interpolate(values, size=shape, mode=mode, align_corners=True)
    torch.testing.assert_close(interpolate_control_points(values, shape), expected)
