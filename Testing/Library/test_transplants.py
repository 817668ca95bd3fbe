"""Generated pairs of photos: lesions of other cases in the place of their own."""

from __future__ import annotations

import pytest
import torch

from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.regions import find_regions
from GenSegLib.augmentation.spatial import NO_DEFORMATION, SpatialStrength
from GenSegLib.augmentation.transplants import TransplantSampler, flat_case, match_colors
from GenSegLib.data.training_case import InMemoryCase
from GenSegLib.errors import GenSegError

SIZE = 64


def photo(radius: float, skin: float, contrast: float) -> InMemoryCase:
    """A photo (3 colors) with a round lesion that is brighter than its surroundings."""
    axis = torch.arange(SIZE) - SIZE / 2
    label = (axis[:, None] ** 2 + axis**2 <= radius**2).long()
    noise = 0.05 * torch.randn(3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    return InMemoryCase("photo", skin + contrast * label + noise, label, (1.0, 1.0))


def sampler(*cases: InMemoryCase) -> TransplantSampler:
    return TransplantSampler(
        cases, 2, (SIZE, SIZE), RandomGenerator(0), rotation=0.5, mirror_axes=(0, 1)
    )


def test_labels_follow_the_transplanted_lesions() -> None:
    pairs = sampler(photo(8, 0.0, 1.0), photo(14, 0.0, 1.0)).blended_pairs(
        RandomGenerator(0), 16, NO_DEFORMATION
    )
    bright = pairs.images.mean(1, keepdim=True) > 0.5
    assert (bright == (pairs.labels > 0)).float().mean() > 0.99
    areas = (pairs.labels > 0).sum((1, 2, 3)).float()
    assert areas.std() > 20  # of any size between the two


def test_surroundings_have_the_colors_of_the_place() -> None:
    pairs = sampler(photo(8, 0.0, 1.0), photo(8, 3.0, 1.0)).blended_pairs(
        RandomGenerator(0), 16, NO_DEFORMATION
    )
    corner = pairs.images[:, :, :4, :4].mean((1, 2, 3))
    around = pairs.images[:, :, 20:24, 30:34].mean((1, 2, 3))  # beside the lesion
    assert (around - corner).abs().max() < 1.2  # not the 3 between the photos


def test_means_of_regions_are_transplanted_with_the_lesion() -> None:
    cases = [photo(8, 0.0, 1.0), photo(14, 0.0, 1.0)]
    regions = [find_regions(case, seed=0) for case in cases]
    found = TransplantSampler(cases, 2, (SIZE, SIZE), RandomGenerator(0), regions=regions)
    for fraction in (0.0, 1.0):
        pairs = found.blended_pairs(RandomGenerator(0), 4, SpatialStrength(), fraction)
        difference = (pairs.regions - pairs.images).abs()
        assert pairs.regions.shape == pairs.images.shape
        assert difference.mean() < 0.06  # the noise of the photos


def test_photos_without_lesions_receive_them_but_give_none() -> None:
    empty = photo(0, 0.0, 1.0)
    empty = InMemoryCase("empty", empty.image, torch.zeros_like(empty.label), (1.0, 1.0))
    found = sampler(empty, photo(9, 0.0, 1.0))
    assert {second for _, second in found.partners} == {1}
    pairs = found.blended_pairs(RandomGenerator(0), 8, NO_DEFORMATION)
    assert (pairs.labels > 0).flatten(1).any(1).all()


def test_the_generator_restores_lesions_from_those_of_other_photos() -> None:
    found = sampler(photo(8, 0.0, 1.0), photo(8, 0.0, -2.0))
    pairs = found.real_pairs(RandomGenerator(0), 8)
    far = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    far[:8] = True
    torch.testing.assert_close(pairs.source[..., far], pairs.images[..., far], atol=0.05, rtol=0)
    inside = (pairs.labels > 0).expand_as(pairs.images)
    difference = (pairs.source - pairs.images).abs()[inside].mean()
    assert difference > 0.3


def test_matching_colors_matches_mean_and_contrast_around() -> None:
    torch.manual_seed(0)
    image, other = torch.randn(1, 3, 16, 16), 2 + 1.3 * torch.randn(1, 3, 16, 16)
    around = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    matched = match_colors(image, other, around, 1.0)
    torch.testing.assert_close(matched.mean((2, 3)), other.mean((2, 3)))
    torch.testing.assert_close(matched.std((2, 3)), other.std((2, 3)), atol=0.01, rtol=0.01)
    torch.testing.assert_close(match_colors(image, other, around, 0.0), image)


def test_volumes_are_refused() -> None:
    case = InMemoryCase("v", torch.zeros(1, 8, 8, 3), torch.zeros(8, 8, 3).long(), (1.0,) * 3)
    with pytest.raises(GenSegError, match="case v is a volume, but a 2-D preset makes pairs"):
        flat_case(case)
