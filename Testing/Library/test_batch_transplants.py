"""Lesions of other samples of a batch, transplanted without a network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_runs import small_run

from GenSegLib.augmentation.batch_transplants import transplant_lesions
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.events import EventLog
from GenSegLib.training.synthesis import synthesize
from GenSegLib.training.train import train

CLASSES = 2
SHAPES = {2: (64, 64), 3: (32, 32, 16)}
IGNORED = 3


def batch(dims: int, lesions: tuple[bool, ...], skin: float = 0.0) -> tuple[torch.Tensor, ...]:
    """Two-channel samples with a block in the middle, brighter by 1, or without."""
    shape = SHAPES[dims]
    labels = torch.zeros(len(lesions), 1, *shape, dtype=torch.long)
    middle = tuple(slice(size // 2 - 3, size // 2 + 3) for size in shape)
    for k, has_lesion in enumerate(lesions):
        labels[(k, 0, *middle)] = int(has_lesion)
    steps = skin * torch.arange(len(lesions)).reshape(-1, *[1] * (dims + 1))
    return (labels + steps).repeat(1, 2, *[1] * dims).float(), labels


@pytest.mark.parametrize("dims", [2, 3])
def test_labels_follow_the_lesions_wherever_they_are_put(dims: int) -> None:
    images, labels = batch(dims, (True, True))
    changed, new = transplant_lesions(images, labels, CLASSES, 1.0, RandomGenerator(0))
    assert not torch.equal(new, labels)
    assert ((changed[:, :1] > 0.5) == (new > 0)).float().mean() > 0.97


def test_a_lesion_comes_into_an_image_without_one() -> None:
    images, labels = batch(2, (True, False))
    changed, new = transplant_lesions(images, labels, CLASSES, 1.0, RandomGenerator(0))
    assert int(new[1].sum()) == int(labels[0].sum())
    assert not torch.equal(changed[1], images[1])


def test_lesions_are_covered_in_a_fifth_of_the_changed_samples() -> None:
    images, labels = batch(2, (True, False) * 200)
    _, new = transplant_lesions(images, labels, CLASSES, 1.0, RandomGenerator(0))
    covered = (new[0::2] > 0).sum((1, 2, 3)) == 0
    assert float(covered.float().mean()) == pytest.approx(0.2, abs=0.07)


def test_a_lesion_of_one_voxel_is_transplanted_whole() -> None:
    images, labels = torch.zeros(2, 1, 64, 64), torch.zeros(2, 1, 64, 64, dtype=torch.long)
    images[0, 0, 32, 32] = labels[0, 0, 32, 32] = 1
    changed, new = transplant_lesions(images, labels, CLASSES, 1.0, RandomGenerator(0))
    assert int(new[1].sum()) == 1
    assert float(changed[1][new[1] > 0]) == pytest.approx(1, abs=0.01)


def test_surroundings_get_the_mean_of_the_place() -> None:
    images, labels = batch(2, (True, True), skin=10.0)
    changed, _ = transplant_lesions(images, labels, CLASSES, 1.0, RandomGenerator(0))
    own, other = changed.flatten(1).aminmax(dim=1)
    assert float((other - own).max()) < 1 + 0.3 * 10 + 0.01  # means match to 70 % at least


def test_the_margin_is_as_wide_in_mm_along_all_axes() -> None:
    images, labels = batch(3, (True, False))
    images = images + torch.linspace(0, 1, 32)[:, None, None]  # so that surroundings are seen
    thick = (1.0, 1.0, 8.0)
    changed, _ = transplant_lesions(images, labels, CLASSES, 1.0, RandomGenerator(0), thick)
    touched = (changed[1] != images[1]).any(0)
    slices = touched.any(0).any(0).sum()
    assert int(slices) == 6  # those of the lesion


def test_a_part_of_the_samples_stays_as_it_is() -> None:
    images, labels = batch(2, (True,) * 64)
    _, new = transplant_lesions(images, labels, CLASSES, 0.25, RandomGenerator(0))
    changed = (new != labels).flatten(1).any(1).float().mean()
    assert 0.1 < float(changed) < 0.4
    same, _ = transplant_lesions(images, labels, CLASSES, 0.0, RandomGenerator(0))
    assert torch.equal(same, images)


def test_one_sample_has_no_other() -> None:
    images, labels = batch(2, (True,))
    assert transplant_lesions(images, labels, CLASSES, 1.0, RandomGenerator(0)) == (images, labels)


def test_what_is_not_a_class_is_not_transplanted() -> None:
    images, labels = batch(2, (True, False))
    changed, new = transplant_lesions(images, labels * IGNORED, CLASSES, 1.0, RandomGenerator(0))
    assert torch.equal(changed, images) and torch.equal(new, labels * IGNORED)


@pytest.mark.usefixtures("few_channels")
def test_transplanted_pairs_are_previewed_and_written(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", generator="transplants")
    train(run, EventLog(run.events_file))
    names = {path.name for path in run.previews.glob("*/*")}
    assert {"generated_0_image.nii.gz", "generated_0_label.nii.gz"} <= names
    assert len(synthesize(run, tmp_path / "pairs", 3, 0)) == 3
