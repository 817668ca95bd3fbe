"""Blending of two subjects: shapes in between, whole classes, images that follow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import label as components

from GenSegLib.augmentation.morphs import Morphs
from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.augmentation.shapes import largest, nearest_class, signed_distances
from GenSegLib.augmentation.spatial import SpatialStrength
from GenSegLib.augmentation.subject import Subject

STILL = SpatialStrength(0.0, 0.0, 0.0, 0.0)
SHAPE = (28, 32, 24)


def subject(name: str, radius: float, shift: int) -> Subject:
    """A ball of two halves, bright on dark, off the center by `shift` voxels."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    center = np.array([14 + shift, 16, 12]).reshape(3, 1, 1, 1)
    inside = np.linalg.norm(grid - center, axis=0) <= radius
    label = inside * np.where(grid[0] < center[0], 1, 2)
    image = torch.from_numpy(label.astype(np.float32))[None]
    return Subject(name, image, torch.from_numpy(label), (1.0, 1.0, 1.0))


def randomness(seed: int = 0) -> Randomness:
    return Randomness(torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def morphs() -> Morphs:
    subjects = [subject("small", 5, -4), subject("large", 9, 3)]
    return Morphs(subjects, 3, (28, 32, 24), randomness())


def volumes(labels: torch.Tensor) -> list[int]:
    return [int((sample > 0).sum()) for sample in labels]


def test_signed_distances_are_millimeters_and_negative_inside() -> None:
    label = np.zeros((11, 3, 3), np.int16)
    label[5] = 1
    distances = signed_distances(label, 2, (2.0, 1.0, 1.0), limit=6.0)
    assert distances[1, :, 1, 1].tolist() == [6, 6, 6, 4, 2, -2, 2, 4, 6, 6, 6]
    assert torch.equal(nearest_class(distances[None])[0, 0], torch.from_numpy(label).long())


def test_largest_is_argmax() -> None:
    scores = torch.randn(2, 4, 5, 6)
    assert torch.equal(largest(scores), scores.argmax(1, keepdim=True))


def test_registration_lays_one_subject_onto_the_other(morphs: Morphs) -> None:
    pairs = morphs.real_pairs(randomness(), 6)
    difference = (pairs.source - pairs.images).abs()
    assert float((difference < 0.5).float().mean()) > 0.97


def test_real_pairs_are_unresampled_voxels_of_the_subject(morphs: Morphs) -> None:
    pairs = morphs.real_pairs(randomness(1), 4)
    torch.testing.assert_close(pairs.images, pairs.labels.float(), atol=1e-3, rtol=0)


def test_blends_lie_between_the_subjects(morphs: Morphs) -> None:
    found = volumes(morphs.blends(randomness(), 24, STILL).labels)
    small, large = (int((s > 0).sum()) for s in (subject("", 5, 0).label, subject("", 9, 0).label))
    between = [v for v in found if 1.3 * small < v < 0.8 * large]
    assert len(between) >= 6


def test_what_is_not_blended_is_a_deformed_mask_of_one_subject(morphs: Morphs) -> None:
    found = volumes(morphs.blends(randomness(), 24, STILL, share=0.0).labels)
    whole = {int((s > 0).sum()) for s in (subject("", 5, 0).label, subject("", 9, 0).label)}
    assert set(found) == whole


def test_blends_never_tear_classes_apart(morphs: Morphs) -> None:
    for label in morphs.blends(randomness(2), 16, STILL).labels[:, 0].numpy():
        for mask in (label > 0, label == 1, label == 2):
            assert components(mask)[1] == 1


def test_images_follow_their_masks(morphs: Morphs) -> None:
    blends = morphs.blends(randomness(3), 8, SpatialStrength())
    assert float((blends.source - blends.labels).abs().mean()) < 0.1


def test_among_draws_from_the_chosen_subjects_alone() -> None:
    subjects = [subject("a", 5, 0), subject("b", 6, 0), subject("c", 10, 0)]
    morphs = Morphs(subjects, 3, SHAPE, randomness()).among([0, 1])
    largest_chosen = int((subjects[1].label > 0).sum())
    drawn = volumes(morphs.real_pairs(randomness(), 12).labels)
    assert max(drawn) <= largest_chosen + 1


def test_a_single_subject_is_its_own_partner() -> None:
    morphs = Morphs([subject("only", 6, 0)], 3, SHAPE, randomness())
    blends = morphs.blends(randomness(), 2, STILL)
    assert volumes(blends.labels) == [int((subject("", 6, 0).label > 0).sum())] * 2


def test_patches_smaller_than_the_subjects_stay_inside_them() -> None:
    subjects = [subject("a", 5, 0), subject("b", 8, 2)]
    pairs = Morphs(subjects, 3, (16, 16, 16), randomness()).blends(randomness(), 3, STILL)
    assert pairs.source.shape == (3, 1, 16, 16, 16)
    assert pairs.labels.shape == (3, 1, 16, 16, 16)
