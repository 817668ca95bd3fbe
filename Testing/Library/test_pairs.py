"""Pairs of registered cases: shapes in between, connected classes, images that follow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import label as components

from GenSegLib.augmentation.pairs import PairSampler, nearest_class
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.regions import find_regions
from GenSegLib.augmentation.spatial import SpatialStrength, argmax_channel
from GenSegLib.data.distance_maps import signed_distances
from GenSegLib.data.training_case import InMemoryCase

STILL = SpatialStrength(0.0, 0.0, 0.0, 0.0)
SHAPE = (28, 32, 24)


def ball(radius: float, shift: int = 0) -> InMemoryCase:
    """A ball of two halves, bright on dark, `shift` voxels off the center."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    center = np.array([14 + shift, 16, 12]).reshape(3, 1, 1, 1)
    inside = np.linalg.norm(grid - center, axis=0) <= radius
    label = inside * np.where(grid[0] < center[0], 1, 2)
    image = torch.from_numpy(label.astype(np.float32))[None]
    return InMemoryCase("ball", image, torch.from_numpy(label), (1.0, 1.0, 1.0))


@pytest.fixture(scope="module")
def sampler() -> PairSampler:
    return PairSampler([ball(5, -4), ball(9, 3)], 3, SHAPE, RandomGenerator(0))


def volumes(labels: torch.Tensor) -> list[int]:
    return [int((sample > 0).sum()) for sample in labels]


def volume(case: InMemoryCase) -> int:
    return volumes(case.label[None])[0]


def test_signed_distances_are_in_mm_and_negative_inside() -> None:
    label = np.zeros((11, 3, 3), np.int16)
    label[5] = 1
    distances = signed_distances(label, 2, (2.0, 1.0, 1.0), limit_mm=6.0)
    assert distances[1, :, 1, 1].tolist() == [6, 6, 6, 4, 2, -2, 2, 4, 6, 6, 6]
    assert torch.equal(nearest_class(distances[None])[0, 0], torch.from_numpy(label).long())


def test_argmax_channel_is_argmax() -> None:
    scores = torch.randn(2, 4, 5, 6)
    assert torch.equal(argmax_channel(scores), scores.argmax(1, keepdim=True))


def test_registration_aligns_the_cases(sampler: PairSampler) -> None:
    pairs = sampler.real_pairs(RandomGenerator(0), 6)
    difference = (pairs.source - pairs.images).abs()
    assert float((difference < 0.5).float().mean()) > 0.97


def test_real_pairs_are_not_resampled(sampler: PairSampler) -> None:
    pairs = sampler.real_pairs(RandomGenerator(1), 4)
    torch.testing.assert_close(pairs.images, pairs.labels.float(), atol=1e-3, rtol=0)


def test_blended_masks_lie_between_the_cases(sampler: PairSampler) -> None:
    found = volumes(sampler.blended_pairs(RandomGenerator(0), 24, STILL).labels)
    small, large = volume(ball(5)), volume(ball(9))
    assert sum(1.3 * small < v < 0.8 * large for v in found) >= 6


def test_means_of_regions_are_deformed_and_blended_with_the_image() -> None:
    cases = [ball(5, -4), ball(9, 3)]  # each class and the background have one intensity
    regions = [find_regions(case, seed=0) for case in cases]
    found = PairSampler(cases, 3, SHAPE, RandomGenerator(0), regions=regions)
    plain = PairSampler(cases, 3, SHAPE, RandomGenerator(0))
    torch.testing.assert_close(found.displacements, plain.displacements)
    assert plain.real_pairs(RandomGenerator(0), 2).regions.shape[1] == 0
    for fraction in (0.0, 1.0):
        pairs = found.blended_pairs(RandomGenerator(0), 4, SpatialStrength(), fraction)
        assert pairs.regions.shape == pairs.images.shape
        torch.testing.assert_close(pairs.regions, pairs.images, atol=1e-3, rtol=0)
    pairs = found.real_pairs(RandomGenerator(0), 4)
    torch.testing.assert_close(pairs.regions, pairs.images, atol=1e-3, rtol=0)  # not the source's


def test_pairs_that_are_not_blended_have_the_mask_of_one_case(sampler: PairSampler) -> None:
    found = volumes(sampler.blended_pairs(RandomGenerator(0), 24, STILL, fraction=0.0).labels)
    assert set(found) == {volume(ball(5)), volume(ball(9))}


def test_blended_classes_stay_connected(sampler: PairSampler) -> None:
    for label in sampler.blended_pairs(RandomGenerator(2), 16, STILL).labels[:, 0].numpy():
        for mask in (label > 0, label == 1, label == 2):
            assert components(mask)[1] == 1


def test_blended_images_follow_their_masks(sampler: PairSampler) -> None:
    pairs = sampler.blended_pairs(RandomGenerator(3), 8, SpatialStrength())
    assert float((pairs.source - pairs.labels).abs().mean()) < 0.1


def test_a_subset_samples_from_its_cases_only() -> None:
    cases = [ball(5), ball(6), ball(10)]
    sampler = PairSampler(cases, 3, SHAPE, RandomGenerator(0)).subset([0, 1])
    pairs = sampler.real_pairs(RandomGenerator(0), 12)
    assert max(volumes(pairs.labels)) <= volume(cases[1]) + 1


def test_a_subset_leaves_out_rejected_pairs() -> None:
    sampler = PairSampler([ball(5), ball(6), ball(10)], 3, SHAPE, RandomGenerator(0))
    subset = sampler.subset(range(3), rejected=[frozenset((0, 1)), frozenset((0, 2))])
    assert subset.partners == [(1, 2), (2, 1), (0, 0)]


def test_a_single_case_is_paired_with_itself() -> None:
    sampler = PairSampler([ball(6)], 3, SHAPE, RandomGenerator(0))
    pairs = sampler.blended_pairs(RandomGenerator(0), 2, STILL)
    assert volumes(pairs.labels) == [volume(ball(6))] * 2


def test_patches_may_be_smaller_than_the_cases() -> None:
    sampler = PairSampler([ball(5), ball(8, 2)], 3, (16, 16, 16), RandomGenerator(0))
    pairs = sampler.blended_pairs(RandomGenerator(0), 3, STILL)
    assert pairs.source.shape == pairs.labels.shape == (3, 1, 16, 16, 16)
