"""Volumes between their voxels: what is moved stays as sharp, as large and in range."""

from __future__ import annotations

import math

import pytest
import torch

from GenSegLib.augmentation.features import FineFeatures, MemoryFeatures, features_of
from GenSegLib.augmentation.interpolation import sample, sample_finely, with_midpoints
from GenSegLib.augmentation.spatial import deform, identity_grid
from GenSegLib.augmentation.subject import Subject

SHAPE = (16, 24, 20)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def half_a_voxel_aside(shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    step = [1 / (size - 1) for size in reversed(shape)]
    return identity_grid(shape) + torch.tensor(step)


def ball(radius: float) -> torch.Tensor:
    axes = [torch.arange(size) - (size - 1) / 2 for size in SHAPE]
    squares = sum(axis**2 for axis in torch.meshgrid(*axes, indexing="ij"))
    return (squares <= radius**2).long()[None, None]


@pytest.mark.parametrize("shape", [(9, 14), SHAPE, (1, 5, 2)], ids=["plane", "volume", "thin"])
def test_voxels_are_kept_between_midpoints(shape: tuple[int, ...]) -> None:
    volume = noise(2, 3, *shape)
    finer = with_midpoints(volume)
    assert finer.shape[2:] == tuple(2 * size - 1 for size in shape)
    every_other = (..., *[slice(None, None, 2)] * len(shape))
    torch.testing.assert_close(finer[every_other], volume)


def test_midpoints_lie_on_a_wave() -> None:
    at = torch.arange(59) / 2
    wave = torch.sin(2 * math.pi * at / 6).reshape(1, 1, -1, 1)
    found = with_midpoints(wave[:, :, ::2])
    inside = slice(6, -6)
    assert float((found - wave)[:, :, inside].abs().max()) < 0.02


def test_what_is_the_same_everywhere_stays_so() -> None:
    volume = torch.full((1, 2, *SHAPE), 3.7)
    torch.testing.assert_close(with_midpoints(volume), torch.full((1, 2, 31, 47, 39), 3.7))


def test_a_moved_image_keeps_more_of_its_detail() -> None:
    volume, grid = noise(1, 1, *SHAPE), half_a_voxel_aside()
    assert sample_finely(volume, grid).std() > 1.5 * sample(volume, grid).std()


def test_a_moved_mask_keeps_more_of_its_volume() -> None:
    mask = ball(6.0)
    _, moved = deform(mask.float(), mask, 2, half_a_voxel_aside())
    linear = sample(mask.float(), half_a_voxel_aside()) > 0.5
    assert abs(int(moved.sum() - mask.sum())) < abs(int(linear.sum() - mask.sum()))


def test_values_stay_in_their_range() -> None:
    window = (noise(2, 1, *SHAPE) > 0).float()
    grid = half_a_voxel_aside().expand(2, -1, -1, -1, -1)
    assert float(with_midpoints(window).max()) > 1
    moved = sample_finely(window, grid)
    assert 0 <= float(moved.min()) <= float(moved.max()) <= 1


def test_many_channels_are_sampled_as_each_alone() -> None:
    volume, grid = noise(1, 9, *SHAPE), half_a_voxel_aside()
    alone = [sample_finely(volume[:, place : place + 1], grid) for place in range(9)]
    torch.testing.assert_close(sample_finely(volume, grid), torch.cat(alone, dim=1))


def test_one_volume_serves_every_grid() -> None:
    volume, grid = noise(1, 2, *SHAPE), half_a_voxel_aside()
    both = sample_finely(volume, torch.cat([grid, identity_grid(SHAPE)]))
    torch.testing.assert_close(both[:1], sample_finely(volume, grid))
    torch.testing.assert_close(both[1:], volume)


def test_a_part_of_a_case_has_the_features_of_the_whole() -> None:
    half = (torch.tensor(SHAPE) - 1) / 2
    case = noise(3, *SHAPE), half, half
    points = half_a_voxel_aside()
    part = (slice(None), slice(5, 9), slice(7, 16), slice(8, 13))
    whole = FineFeatures(*case).at(points)
    torch.testing.assert_close(MemoryFeatures(*case).at(points), whole, atol=1e-5, rtol=1e-4)
    inside = MemoryFeatures(*case).at(points[part])
    # a part's range is narrower: a midpoint beyond it is brought back
    agree = (whole[(slice(None), *part)] - inside).abs() < 1e-4
    assert float(agree.float().mean()) > 0.95


@pytest.mark.parametrize(("small", "kind"), [(2**20, FineFeatures), (100, MemoryFeatures)])
def test_midpoints_of_small_cases_alone_are_kept(small: int, kind: type) -> None:
    case = Subject("ball", noise(1, *SHAPE), ball(6.0)[0, 0], (1.0, 1.0, 1.0))
    middle = torch.tensor(SHAPE) / 2
    assert isinstance(features_of(case, 2, 12.0, middle, middle, small), kind)
