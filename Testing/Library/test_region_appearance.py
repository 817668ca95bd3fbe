"""Random appearance per region."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from made_up_case import made_up_case

from GenSegLib.augmentation.patches import SliceSampler
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.region_appearance import (
    AppearanceDistribution,
    RegionAppearance,
    steerable,
)
from GenSegLib.augmentation.region_table import TargetContrasts, divide_cases
from GenSegLib.augmentation.spectrum import exchange_amplitudes
from GenSegLib.presets import load_preset

ALWAYS = AppearanceDistribution(
    fraction=1.0,
    noise=0.0,
    synthesis=0.0,
    mixing=0.0,
    curve=0.0,
    air=0.0,
    target=0.0,
    convolution=0.0,
    exchange=0.0,
)
INNER = (slice(None), slice(None), slice(17, 23), slice(14, 18))  # well within the organ


def recolored(
    distribution: AppearanceDistribution,
    batch: int = 16,
    channels: int = 1,
    context: int = 0,
    **options: object,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Whole slices of a made-up case, as they are and recolored."""
    case = made_up_case(channels=channels)
    divided, table = divide_cases([case], 0, torch.device("cpu"))
    sampler = SliceSampler(divided, case.label.shape[:2], context=context)
    images, labels = sampler.sample(RandomGenerator(0), batch)
    appearance = RegionAppearance(table, **options)  # type: ignore[arg-type]
    return images, appearance.recolor(images, labels[:, 1:], distribution, RandomGenerator(1))


def correlation(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Correlation of each sample's intensities, (batch,)."""
    a, b = (x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (first, second))
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))


def test_regions_change_their_contrast_and_keep_their_texture() -> None:
    images, new = recolored(ALWAYS)
    contrasts = {round(float(x[INNER].mean() - x[:, :, :8].mean()), 2) for x in new[:, None]}
    assert len(contrasts) == len(new)
    assert (correlation(images[INNER], new[INNER]).abs() > 0.95).all()


def test_a_part_of_the_textures_is_inverted() -> None:
    images, new = recolored(ALWAYS, batch=64)
    inverted = (correlation(images[INNER], new[INNER]) < 0).float().mean()
    assert 0.1 < float(inverted) < 0.5


def test_recolored_images_are_normalized_like_whole_cases() -> None:
    images, new = recolored(ALWAYS, batch=64)
    assert float(new.mean()) == pytest.approx(float(images.mean()), abs=0.1)
    assert float(new.std()) == pytest.approx(float(images.std()), rel=0.15)


def test_a_fraction_of_the_batch_stays_as_it_is() -> None:
    images, new = recolored(replace(ALWAYS, fraction=0.5), batch=64)
    same = (images == new).flatten(1).all(1).float().mean()
    assert 0.3 < float(same) < 0.7
    assert torch.equal(*recolored(replace(ALWAYS, fraction=0.0)))


def test_synthesis_replaces_textures_by_noise() -> None:
    images, new = recolored(replace(ALWAYS, synthesis=1.0))
    assert (correlation(images[INNER], new[INNER]).abs() < 0.6).all()


def test_the_darkest_region_of_the_background_can_stay_the_darkest() -> None:
    _, new = recolored(replace(ALWAYS, air=1.0))
    assert (new[:, :, :10].mean((1, 2, 3)) < new[:, :, 16:].mean((1, 2, 3))).all()


def test_neighboring_slices_look_alike() -> None:
    _, new = recolored(ALWAYS, context=1)
    assert new.shape[1] == 3
    lowest = new[INNER].mean((2, 3)).amin(1)
    torch.testing.assert_close(lowest, new[INNER].mean((2, 3)).amax(1), atol=0.25, rtol=0)


def test_colors_change_together_and_contrasts_independently() -> None:
    def distance(*, color: bool) -> float:
        _, new = recolored(ALWAYS, channels=3, color=color)
        return float(new[INNER].mean((2, 3)).std(1).mean())

    assert distance(color=True) < 0.6 * distance(color=False)


def test_bounded_images_stay_within_their_window() -> None:
    _, new = recolored(ALWAYS, bounded=True)
    assert float(new.min()) >= 0 and float(new.max()) <= 1


def test_contrasts_can_be_those_of_unlabeled_images() -> None:
    clusters = torch.tensor([[[-1.0], [1.0]]])
    targets = TargetContrasts(clusters, torch.zeros(1, 2, 1), torch.zeros(1, 2, dtype=torch.long))
    distribution = replace(ALWAYS, target=1.0)
    images, new = recolored(distribution, targets=targets)
    middle = new[INNER].mean((1, 2, 3))
    assert len({round(float(x)) for x in middle}) < 6
    assert not torch.equal(images, new)


@pytest.mark.parametrize("kind", ["curve", "convolution", "exchange"])
def test_intensities_can_follow_a_random_curve_network_or_style(kind: str) -> None:
    images, new = recolored(replace(ALWAYS, **{kind: 1.0}))
    torch.testing.assert_close(new.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=1e-3, rtol=0)
    assert not torch.equal(images, new)


def test_the_style_of_another_image_keeps_the_shapes() -> None:
    axes = torch.arange(32, dtype=torch.float32)
    noise = 0.1 * RandomGenerator(0).normal(4, 1, 32, 32)
    images = ((axes > 12) & (axes < 20)).float().expand(4, 1, 32, 32) + noise
    donors = (axes / 32).reshape(-1, 1).expand(4, 1, 32, 32) * torch.ones(4, 1, 1, 1)
    changed = exchange_amplitudes(images, donors, RandomGenerator(1))
    assert not torch.allclose(changed, images, atol=0.05)
    assert (correlation(images, changed) > 0.6).all()
    torch.testing.assert_close(
        exchange_amplitudes(images, images, RandomGenerator(1)), images, atol=1e-4, rtol=0
    )


def test_styles_are_those_of_unlabeled_images_if_there_are() -> None:
    asked: list[int] = []

    def donors(generator: RandomGenerator, count: int) -> torch.Tensor:
        asked.append(count)
        return generator.normal(count, 1, 48, 40)  # with a margin

    case = made_up_case()
    divided, table = divide_cases([case], 0, torch.device("cpu"))
    images, labels = SliceSampler(divided, (32, 32)).sample(RandomGenerator(0), 4)
    distribution = replace(ALWAYS, exchange=1.0)
    new = RegionAppearance(table).recolor(
        images, labels[:, 1:], distribution, RandomGenerator(1), donors
    )
    assert asked == [4] and new.shape == images.shape


def test_two_distributions_draw_the_same_random_numbers() -> None:
    def next_number(distribution: AppearanceDistribution) -> torch.Tensor:
        case = made_up_case()
        divided, table = divide_cases([case], 0, torch.device("cpu"))
        images, labels = SliceSampler(divided, (16, 16)).sample(RandomGenerator(0), 4)
        generator = RandomGenerator(5)
        RegionAppearance(table).recolor(images, labels[:, 1:], distribution, generator)
        return generator.uniform(3)

    other = AppearanceDistribution(
        0.1, mixing=0.9, synthesis=0.8, curve=0.7, convolution=0.6, exchange=0.5
    )
    assert torch.equal(next_number(AppearanceDistribution()), next_number(other))


def test_scalars_become_unbounded_numbers_and_back() -> None:
    names = steerable(has_targets=True)
    start = AppearanceDistribution()
    again = AppearanceDistribution(fraction=0.9).with_vector(names, start.to_vector(names))
    for name in set(names) - {"kept_mean"}:
        assert getattr(again, name) == pytest.approx(getattr(start, name))
    moved = start.with_vector(names, [50.0] * len(names))
    assert 0 <= moved.fraction <= 1
    assert "target" not in steerable(has_targets=False)


def test_color_images_start_from_milder_distributions() -> None:
    color = AppearanceDistribution.for_preset(
        replace(load_preset("generic-mri"), modality="", channels=3)
    )
    assert color.inversion < AppearanceDistribution().inversion
    assert color.kept_mean > AppearanceDistribution().kept_mean


def test_regions_that_collapsed_to_one_intensity_can_be_recolored() -> None:
    case = replace(made_up_case(), image=torch.zeros_like(made_up_case().image))
    divided, table = divide_cases([case], 0, torch.device("cpu"))
    images, labels = SliceSampler(divided, (32, 32)).sample(RandomGenerator(0), 4)
    everything = replace(ALWAYS, synthesis=0.5, curve=0.3, convolution=0.3, exchange=0.3)
    new = RegionAppearance(table).recolor(images, labels[:, 1:], everything, RandomGenerator(1))
    assert torch.isfinite(new).all()
