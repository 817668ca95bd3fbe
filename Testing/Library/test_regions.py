"""Division of cases into regions, and patches that carry them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from made_up_case import ORGAN, TISSUES, made_up_case

from GenSegLib.augmentation import regions as regions_module
from GenSegLib.augmentation.patches import PatchSampler, SliceSampler
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.region_table import divide_cases, target_contrasts
from GenSegLib.augmentation.regions import CaseWithRegions, find_regions, image_clusters
from GenSegLib.data.training_case import InMemoryCase

CPU = torch.device("cpu")


def regions_by_class(case: InMemoryCase) -> dict[int, set[int]]:
    """The regions that occur in each class of the label."""
    found = find_regions(case, 0).map
    return {v: set(found[case.label == v].tolist()) for v in case.label.unique().tolist()}


@pytest.mark.parametrize("shape", [(40, 32, 6), (64, 64, 1)], ids=["volume", "2-D image"])
def test_regions_separate_tissues_and_never_cross_the_border_of_a_class(
    shape: tuple[int, ...],
) -> None:
    case = made_up_case(shape)
    by_class = regions_by_class(case)
    assert not by_class[0] & by_class[1]
    assert 3 <= len(by_class[0]) <= regions_module.BACKGROUND_REGIONS
    found = find_regions(case, 0)
    centers = [float(mean) for mean in found.means[:, 0]]
    for tissue in (*TISSUES, ORGAN):
        assert min(abs(center - tissue) for center in centers) < 0.1


def test_regions_depend_on_the_seed_alone() -> None:
    case = made_up_case()
    first, second = find_regions(case, 3), find_regions(case, 3)
    assert torch.equal(first.map, second.map)


def test_a_constant_background_is_one_region() -> None:
    case = made_up_case(noise=0.0)
    flat = replace(case, image=torch.where(case.label > 0, case.image, torch.zeros(())))
    assert [len(found) for found in regions_by_class(flat).values()] == [1, 1]


@pytest.mark.parametrize("value", [0, 1], ids=["no foreground", "no background"])
def test_a_case_may_lack_foreground_or_background(value: int) -> None:
    case = made_up_case()
    whole = replace(case, label=torch.full_like(case.label, value))
    found = find_regions(whole, 0)
    assert set(found.classes) == {value}
    assert float(found.fractions.sum()) == pytest.approx(1)


def test_a_constant_image_has_one_region() -> None:
    case = made_up_case()
    flat = replace(case, image=torch.zeros_like(case.image), label=torch.zeros_like(case.label))
    assert find_regions(flat, 0).classes == (0,)


def test_thirteen_classes_have_regions_of_their_own() -> None:
    case = made_up_case((42, 32, 4))
    label = (torch.arange(42) // 3).reshape(-1, 1, 1).expand(42, 32, 4).clone()
    found = find_regions(replace(case, label=label), 0)
    assert set(found.classes) == set(range(14))


def test_large_classes_are_divided() -> None:
    case = made_up_case()
    halves = torch.where(case.image[0] > 0.3, 1, 0)
    found = find_regions(replace(case, label=halves), 0)
    assert found.classes.count(1) > 1


def test_large_cases_have_maps_of_lower_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions_module, "MAX_VOXELS", 2000)
    case = made_up_case()
    found = find_regions(case, 0)
    assert found.map.numel() <= 2000
    box = tuple(slice(0, size) for size in case.label.shape)
    assert found.cut(box, [0, 0, 0]).shape == case.label.shape


def test_patches_carry_the_regions_of_their_voxels_and_padding_has_none() -> None:
    case = made_up_case((20, 16, 4))
    regions = find_regions(case, 0)
    images, labels = PatchSampler([CaseWithRegions(case, regions, 100)], (24, 16, 8)).sample(
        RandomGenerator(0), 2
    )
    assert labels.shape == (2, 2, 24, 16, 8)
    assert torch.equal(labels[0, 1, 2:22, :, 2:6], regions.map.long() + 100)
    assert int(labels[0, 1, :2].max()) == 0
    assert torch.equal(images[0, :, 2:22, :, 2:6], case.image)


def test_slices_carry_the_regions_of_their_neighbors() -> None:
    case = made_up_case()
    divided, _ = divide_cases([case], 0, CPU)
    images, labels = SliceSampler(divided, (16, 16), context=1).sample(RandomGenerator(0), 3)
    assert images.shape == (3, 3, 16, 16)
    assert labels.shape == (3, 4, 16, 16)
    plain, alone = SliceSampler([case], (16, 16), context=1).sample(RandomGenerator(0), 3)
    assert torch.equal(plain, images)
    assert torch.equal(alone, labels[:, :1])


def test_regions_of_several_cases_have_different_numbers() -> None:
    divided, table = divide_cases([made_up_case(), made_up_case((24, 24, 4))], 0, CPU)
    _, labels = PatchSampler(divided, (24, 24, 4), 0.0).sample(RandomGenerator(0), 8)
    cases, local = table.split(labels[:, 1:])
    assert set(cases.tolist()) == {0, 1}
    assert int(local.min()) >= 0 and int(local.max()) < table.size


def test_coarse_versions_of_cases_have_regions_of_their_own() -> None:
    case = replace(made_up_case(), coarse=made_up_case((20, 16, 4)))
    divided, table = divide_cases([case], 0, CPU)
    assert len(table.means) == 2
    assert divided[0].coarse is not None
    _, labels = PatchSampler([divided[0].coarse], (16, 16, 4)).sample(RandomGenerator(0), 2)
    assert set(table.split(labels[:, 1:])[0].tolist()) == {1}


def test_contrasts_of_unlabeled_images_are_those_of_their_clusters() -> None:
    case = made_up_case()
    maps = [image_clusters(each, 0) for each in (case, made_up_case((24, 24, 4)))]
    targets = target_contrasts(maps, CPU)
    assert targets is not None
    mean, spread = case.image.mean(), case.image.std()
    for tissue in (*TISSUES, ORGAN):
        standardized = float((tissue - mean) / spread)
        assert float((targets.means[0] - standardized).abs().min()) < 0.15
    assert set(targets.classes.unique().tolist()) == {-1, 0}
    assert target_contrasts([], CPU) is None
