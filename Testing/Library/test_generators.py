"""Generators of the registry: the interface they share, and what is special about each."""

from __future__ import annotations

import pytest
import torch
from small_learners import randomize_zero_weights

from GenSegLib import config
from GenSegLib.networks.cells import SEARCH_SPACES
from GenSegLib.networks.discriminator import ADVERSARIAL_LOSSES, Discriminator
from GenSegLib.networks.generators import GENERATORS, build_generator
from GenSegLib.networks.image_generator import GeneratorConfig, GeneratorInputs, ImageGenerator
from GenSegLib.networks.searchable import noise_levels

SHAPES = {2: (16, 24), 3: (8, 16, 12)}
FROM_SOURCE = [name for name in GENERATORS if name != "mask-only"]
CLASSES, CHANNELS = 3, 2


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def built(name: str, dims: int = 3, **options: bool | str) -> ImageGenerator:
    """A generator whose residual is not zero."""
    generator = build_generator(name, GeneratorConfig(CLASSES, CHANNELS, dims, **options))
    randomize_zero_weights(generator, 0.1)
    return generator


def inputs(generator: ImageGenerator, dims: int = 3, batch: int = 2) -> GeneratorInputs:
    shape = SHAPES[dims]
    masks = torch.nn.functional.one_hot(torch.randint(0, CLASSES, (batch, *shape)), CLASSES)
    source = torch.rand(batch, CHANNELS, *shape)
    noise = torch.randn(batch, generator.noise_channels, *shape)
    regions = torch.rand(batch, CHANNELS if generator.sees_regions else 0, *shape)
    return GeneratorInputs(masks.movedim(-1, 1).float(), source, noise, regions)


def test_the_registry_holds_the_choices_of_the_setting() -> None:
    assert (*GENERATORS, *config.GENERATORLESS) == config.GENERATORS


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", FROM_SOURCE)
def test_an_untrained_generator_returns_the_source_image(name: str, dims: int) -> None:
    generator = build_generator(name, GeneratorConfig(CLASSES, CHANNELS, dims))
    seen = inputs(generator, dims)
    torch.testing.assert_close(generator.generate(seen), seen.source)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", GENERATORS)
def test_images_depend_on_noise_masks_and_what_surrounds_them_alone(name: str, dims: int) -> None:
    generator = built(name, dims)
    masks, source, noise, regions = inputs(generator, dims)
    image = generator(masks, source, noise, regions)
    assert image.shape == source.shape
    assert torch.isfinite(image).all()
    assert torch.equal(image, generator(masks, source, noise, regions))
    assert not torch.allclose(image, generator(masks, source, -noise, regions))
    assert not torch.allclose(image, generator(masks.flip(1), source, noise, regions))
    is_published = name == "mask-only"
    assert torch.equal(image, generator(masks, -source, noise, regions)) == is_published
    assert torch.equal(image, generator(masks, source, noise, -regions)) == is_published


@pytest.mark.parametrize("dims", [2, 3])
def test_noise_of_every_level_has_unit_variance_and_partly_that_of_the_whole_image(
    dims: int,
) -> None:
    noise = torch.randn(200, 4, *[8] * dims)
    for level in noise_levels(noise, 3):
        assert level.std() == pytest.approx(1, abs=0.1)
        common, local = level.chunk(2, dim=1)
        assert common.flatten(2).std(2).max() < 1e-5
        assert local.flatten(2).std(2).mean() > 0.7


@pytest.mark.parametrize("name", GENERATORS)
def test_bounded_images_stay_between_0_and_1(name: str) -> None:
    generator = built(name, bounded=True)
    image = generator(*inputs(generator))
    assert image.min() >= 0
    assert image.max() <= 1
    assert image.std() > 0.01


@pytest.mark.parametrize("space", SEARCH_SPACES)
@pytest.mark.parametrize("name", GENERATORS)
def test_every_weight_gets_a_gradient(name: str, space: str) -> None:
    generator = built(name, space=space)
    seen = inputs(generator)
    generator.generate(seen).square().mean().backward()
    idle = [n for n, p in generator.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@pytest.mark.parametrize("name", GENERATORS)
def test_architecture_weights_are_those_of_the_cells(name: str) -> None:
    generator = built(name)
    assert len(generator.architecture()) == len(generator.cells()) > 0
    assert not set(generator.architecture()) & set(generator.weights())
    names = {*generator.architecture(), *generator.weights()}
    assert names == {each for each, _ in generator.named_parameters()}


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_the_discriminator_learns_to_separate_real_from_generated(name: str) -> None:
    loss = ADVERSARIAL_LOSSES[name]
    masks, real, *_ = inputs(built("searchable"))
    generated = real + 2.0
    discriminator = Discriminator(CLASSES, CHANNELS)
    optimizer = torch.optim.Adam(discriminator.parameters(), 1e-2)
    for _ in range(30):
        scores = discriminator(masks, real), discriminator(masks, generated)
        optimizer.zero_grad()
        loss.discriminator(*scores).backward()
        optimizer.step()
    assert loss.generator(scores[1]) > loss.generator(scores[0])
