"""Growth and atrophy of single classes."""

from __future__ import annotations

import pytest
import torch

from GenSegLib.augmentation.growth import grow_classes
from GenSegLib.augmentation.random_generator import RandomGenerator


def organs(batch: int, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Two organs in a patch; the image shows the labels."""
    labels = torch.zeros(batch, 1, *shape, dtype=torch.long)
    rest = [slice(2, size - 2) for size in shape[2:]]
    labels[(slice(None), slice(None), slice(6, 18), slice(6, 18), *rest)] = 1
    labels[(slice(None), slice(None), slice(26, 38), slice(26, 38), *rest)] = 2
    return labels.float(), labels


@pytest.mark.parametrize("shape", [(44, 44), (44, 44, 12)], ids=["2-D", "3-D"])
def test_a_class_grows_or_shrinks_while_the_other_keeps_its_size(shape: tuple[int, ...]) -> None:
    images, labels = organs(24, shape)
    grown, masks = grow_classes(images, labels, 3, 3, 3.0, RandomGenerator(0))
    sizes = torch.stack([(masks == value).flatten(1).sum(1) for value in (1, 2)], 1)
    before = int((labels[0] == 1).sum())
    changes = (sizes - before).abs() > 0.04 * before
    assert changes.any() and not changes.all(1).any()
    assert (sizes > 1.04 * before).any() and (sizes < 0.96 * before).any()
    assert float((grown - masks).abs().mean()) < 0.05  # the image moves with the label


def borders(labels: torch.Tensor, axis: int) -> torch.Tensor:
    """Extent of the first class along an axis, in voxels of each sample."""
    others = [each for each in range(1, labels.ndim) if each != axis + 2]
    return (labels == 1).any(others).sum(1)


@pytest.mark.parametrize(("thickness", "ratio"), [(2.0, 0.5), (8.0, 0.0)])
def test_growth_is_the_same_in_mm_along_all_axes_but_not_across_thick_slices(
    thickness: float, ratio: float
) -> None:
    """Half as many voxels of twice the size, or none."""
    labels = torch.zeros(16, 1, 28, 28, 28, dtype=torch.long)
    labels[:, :, 8:20, 8:20, 8:20] = 1
    spacing = (1.0, 1.0, thickness)
    _, grown = grow_classes(labels.float(), labels, 2, 2, 4.0, RandomGenerator(0), spacing)
    changes = [(borders(grown, axis) - 12).abs().float().mean() for axis in (0, 2)]
    assert changes[0] > 0.5
    assert float(changes[1] / changes[0]) == pytest.approx(ratio, abs=0.15)


def test_a_part_of_the_samples_stays_as_it_is() -> None:
    images, labels = organs(24, (44, 44))
    _, masks = grow_classes(images, labels, 3, 3, 3.0, RandomGenerator(0))
    same = (masks == labels).flatten(1).all(1).float().mean()
    assert 0.4 < float(same) < 0.95


def test_samples_without_foreground_and_a_strength_of_0_change_nothing() -> None:
    images, labels = organs(8, (44, 44))
    for given, strength in ((torch.zeros_like(labels), 3.0), (labels, 0.0)):
        grown = grow_classes(images, given, 3, 3, strength, RandomGenerator(0))
        assert torch.equal(grown[0], images) and torch.equal(grown[1], given)


def test_the_generator_advances_alike_for_any_strength() -> None:
    images, labels = organs(8, (44, 44))
    generators = RandomGenerator(0), RandomGenerator(0)
    for generator, strength in zip(generators, (0.0, 2.0)):
        grow_classes(images, labels, 3, 3, strength, generator)
    assert torch.equal(*(generator.uniform(3) for generator in generators))
