"""The searchable generator and its discriminator."""

from __future__ import annotations

import pytest
import torch

from GenSegLib.networks.cells import CONVOLUTION, SEARCH_SPACES, TRANSPOSED, SearchableCell
from GenSegLib.networks.discriminator import Discriminator, adversarial_loss, discriminator_loss
from GenSegLib.networks.generator import Generator
from GenSegLib.networks.image_generator import Design
from GenSegLib.networks.operations import mixed

SHAPES = {2: (16, 24), 3: (8, 16, 12)}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def inputs(dims: int, batch: int = 2) -> tuple[torch.Tensor, ...]:
    shape = SHAPES[dims]
    masks = torch.nn.functional.one_hot(torch.randint(0, 3, (batch, *shape)), 3)
    source, noise = torch.randn(batch, 2, *shape), torch.randn(batch, 1, *shape)
    return masks.movedim(-1, 1).float(), source, noise


def trained(dims: int = 3, space: str = "light") -> Generator:
    generator = Generator(Design(3, 2, dims, space=space))
    torch.nn.init.normal_(generator.head.weight, std=0.1)
    return generator


@pytest.mark.parametrize("space", SEARCH_SPACES)
@pytest.mark.parametrize("dims", [2, 3])
def test_an_untrained_generator_gives_the_source_image(dims: int, space: str) -> None:
    masks, source, noise = inputs(dims)
    generator = Generator(Design(3, 2, dims, space=space))
    torch.testing.assert_close(generator(masks, source, noise), source)


@pytest.mark.parametrize("space", SEARCH_SPACES)
@pytest.mark.parametrize("dims", [2, 3])
def test_another_noise_or_mask_gives_another_image(dims: int, space: str) -> None:
    masks, source, noise = inputs(dims)
    generator = trained(dims, space)
    image = generator(masks, source, noise)
    assert image.shape == source.shape
    assert not torch.allclose(image, generator(masks, source, -noise))
    assert not torch.allclose(image, generator(masks.flip(1), source, noise))


def test_every_architecture_weight_gets_a_gradient() -> None:
    generator = trained()
    generator(*inputs(3)).square().mean().backward()
    gradients = [weight.grad for weight in generator.architecture().values()]
    assert gradients and all(g is not None and g.abs().sum() > 0 for g in gradients)


def test_architecture_and_weights_share_nothing_and_leave_nothing_out() -> None:
    generator = Generator(Design(3))
    architecture, weights = set(generator.architecture()), set(generator.weights())
    assert not architecture & weights
    assert architecture | weights == {name for name, _ in generator.named_parameters()}


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("space", list(SEARCH_SPACES))
@pytest.mark.parametrize("kind", [CONVOLUTION, TRANSPOSED])
def test_a_cell_is_the_weighted_sum_of_its_operations(kind: str, space: str, dims: int) -> None:
    cell = SearchableCell(kind, dims, 4, 8, space)
    torch.nn.init.normal_(cell.architecture)
    features = torch.randn(2, 4, *[8, 10, 6][:dims])
    weights = torch.softmax(cell.architecture, 0)
    mixed = sum(w * operation(features) for w, operation in zip(weights, cell.operations))
    torch.testing.assert_close(cell(features), cell.activate(mixed))
    assert sum(cell.weights().values()) == pytest.approx(1.0)


def test_a_reduced_cell_is_its_best_operation_alone_also_after_loading() -> None:
    cell, other = SearchableCell(CONVOLUTION, 2, 4, 8), SearchableCell(CONVOLUTION, 2, 4, 8)
    cell.architecture.data[1] = 1.0
    assert cell.reduce() == cell.names[1]
    other.load_state_dict(cell.state_dict())
    features = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(cell(features), cell.activate(cell.operations[1](features)))
    torch.testing.assert_close(other(features), cell(features))


def test_the_discriminator_tells_real_from_generated_within_a_few_steps() -> None:
    masks, real, _ = inputs(3)
    generated = real + 2.0
    discriminator = Discriminator(3, 2, 3)
    optimizer = torch.optim.Adam(discriminator.parameters(), 1e-2)
    for _ in range(30):
        loss = discriminator_loss(discriminator(masks, real), discriminator(masks, generated))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert adversarial_loss(discriminator(masks, generated)) > adversarial_loss(
        discriminator(masks, real)
    )


@pytest.mark.parametrize("kind", [CONVOLUTION, TRANSPOSED])
@pytest.mark.parametrize("size", [4, 8, 16])
def test_wide_kernels_learn_on_small_features_as_without_onednn(kind: str, size: int) -> None:
    cell = SearchableCell(kind, 3, 16, 32, "paper")
    features = torch.randn(2, 16, size, size, size)

    def slopes() -> tuple[torch.Tensor, ...]:
        loss = mixed(list(cell.operations), torch.ones(3) / 3, features).square().mean()
        return torch.autograd.grad(loss, list(cell.operations.parameters()))

    found = slopes()
    with torch.backends.mkldnn.flags(enabled=False):
        torch.testing.assert_close(found, slopes(), rtol=1e-3, atol=1e-5)
