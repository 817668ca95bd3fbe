"""The generators of the registry: what all of them promise, and what each adds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from small_learners import awaken, small_learner, trilevel

from GenSegLib import config
from GenSegLib.multilevel import finite_difference, unroll
from GenSegLib.networks.diffusion import STEPS, DiffusionGenerator
from GenSegLib.networks.generators import GENERATORS, build_generator
from GenSegLib.networks.image_generator import Design, ImageGenerator, Seen
from GenSegLib.networks.vae import VaeGenerator
from GenSegLib.training.learner import Learner

SHAPES = {2: (16, 24), 3: (8, 16, 12)}
SEARCHABLE = ("searchable", "mask-only")
FIXED = [name for name in GENERATORS if name not in SEARCHABLE]
FROM_SOURCE = [name for name in GENERATORS if name != "mask-only"]
CLASSES, CHANNELS = 3, 2


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def built(name: str, dims: int = 3, **options: bool) -> ImageGenerator:
    """A generator that is past its quiet start."""
    generator = build_generator(name, Design(CLASSES, CHANNELS, dims, **options))
    awaken(generator, 0.1)
    return generator


def inputs(generator: ImageGenerator, dims: int = 3, batch: int = 2) -> Seen:
    shape = SHAPES[dims]
    masks = torch.nn.functional.one_hot(torch.randint(0, CLASSES, (batch, *shape)), CLASSES)
    source = torch.rand(batch, CHANNELS, *shape)
    noise = torch.randn(batch, *generator.noise_shape(shape))
    return Seen(masks.movedim(-1, 1).float(), source, noise)


def test_the_registry_holds_what_the_settings_offer() -> None:
    assert (*GENERATORS, *config.GENERATORLESS) == config.GENERATORS


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", FROM_SOURCE)
def test_before_training_a_generator_gives_the_source_image(name: str, dims: int) -> None:
    generator = build_generator(name, Design(CLASSES, CHANNELS, dims))
    masks, source, noise, _ = inputs(generator, dims)
    torch.testing.assert_close(generator(masks, source, noise), source)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", GENERATORS)
def test_another_noise_or_mask_gives_another_image(name: str, dims: int) -> None:
    generator = built(name, dims)
    masks, source, noise, _ = inputs(generator, dims)
    image = generator(masks, source, noise)
    assert image.shape == source.shape
    assert torch.isfinite(image).all()
    assert not torch.allclose(image, generator(masks, source, -noise))
    assert not torch.allclose(image, generator(masks.flip(1), source, noise))


@pytest.mark.parametrize("name", GENERATORS)
def test_the_same_noise_gives_the_same_image(name: str) -> None:
    generator = built(name)
    seen = inputs(generator)
    assert torch.equal(generator(*seen), generator(*seen))


def test_masks_alone_leave_the_source_unseen() -> None:
    generator = built("mask-only")
    masks, source, noise, _ = inputs(generator)
    assert torch.equal(generator(masks, source, noise), generator(masks, -source, noise))


@pytest.mark.parametrize("name", GENERATORS)
def test_bounded_images_stay_within_their_bounds(name: str) -> None:
    generator = built(name, bounded=True)
    image = generator(*inputs(generator))
    assert image.min() >= 0
    assert image.max() <= 1
    assert image.std() > 0.01


@pytest.mark.parametrize("name", GENERATORS)
def test_coordinates_are_seen_where_they_are_asked_for(name: str) -> None:
    generator = built(name, coordinates=True)
    masks, source, noise, _ = inputs(generator)
    places = torch.randn(2, 3, *SHAPES[3])
    here, there = (generator(masks, source, noise, each) for each in (places, -places))
    assert not torch.allclose(here, there)


@pytest.mark.parametrize("name", GENERATORS)
def test_every_weight_learns_from_attempts_at_real_images(name: str) -> None:
    generator = built(name)
    seen = inputs(generator)
    attempt, price = generator.attempt(torch.rand_like(seen.source), seen)
    (attempt.square().mean() + price.mean()).backward()
    assert attempt.shape == seen.source.shape
    assert price.shape == (2,)
    idle = [n for n, p in generator.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@pytest.mark.parametrize("name", GENERATORS)
def test_only_searchable_generators_have_an_architecture(name: str) -> None:
    generator = built(name)
    assert bool(generator.architecture()) == bool(generator.cells()) == (name in SEARCHABLE)
    names = {*generator.architecture(), *generator.weights()}
    assert names == {each for each, _ in generator.named_parameters()}
    assert bool(generator.reduce()) == (name not in FIXED)


def test_codes_that_are_normal_cost_nothing_and_others_do() -> None:
    generator = built("vae")
    assert isinstance(generator, VaeGenerator)
    seen = inputs(generator)
    _, dear = generator.attempt(torch.rand_like(seen.source), seen)
    for parameter in generator.to_code.parameters():
        torch.nn.init.zeros_(parameter)
    _, free = generator.attempt(torch.rand_like(seen.source), seen)
    assert (dear > 0).all()
    assert (free == 0).all()


def test_a_code_tells_of_the_real_image() -> None:
    generator = built("vae")
    seen = inputs(generator)
    image = torch.rand_like(seen.source)
    attempts = [generator.attempt(each, seen)[0] for each in (image, 1 - image)]
    assert not torch.allclose(*attempts)


def test_attempts_of_the_bridge_start_at_each_of_its_times_as_often() -> None:
    generator = built("diffusion")
    assert isinstance(generator, DiffusionGenerator)
    times = generator._random_time(torch.randn(3000, 4))
    values, counts = times.unique(return_counts=True)
    expected = torch.arange(1, STEPS + 1) / STEPS
    torch.testing.assert_close(values, expected)
    assert (counts / 3000 - 1 / STEPS).abs().max() < 0.05


@dataclass
class Trained:
    """A learner that has trained a little, and what its trainings on both levels changed."""

    learner: Learner
    losses: list[dict[str, float]]
    unmoved: list[str]


# cells train in test_training.py and test_problem.py, and from masks alone in test_ablations.py
@pytest.fixture(scope="module", params=FIXED)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("generators") / "run"
    # smooth networks, as in test_problem.py
    settings = {"generator": request.param, "segmenter": "segresnet", "upper_every": 2}
    learner = small_learner(folder, smoothed=True, **settings)
    problem = learner.problem
    names = [
        name for of in ("generator", "architecture", "variables") for name in problem.names[of]
    ]
    followed = [*problem.lower_parameters(), *problem.upper_parameters()]
    before = [tensor.detach().clone() for tensor in followed]
    losses = [learner.warm_up_step(), *(learner.joint_step(step) for step in range(2))]
    unmoved = [name for name, a, b in zip(names, before, followed) if torch.equal(a, b)]
    return Trained(learner, losses, unmoved)


def test_a_joint_training_moves_generator_and_upper_level(trained: Trained) -> None:
    assert all(math.isfinite(value) for loss in trained.losses for value in loss.values())
    assert trained.unmoved == []


def test_finite_differences_point_where_exact_unrolling_does(trained: Trained) -> None:
    problem = trilevel(trained.learner)
    found, exact = finite_difference(problem, size=1e-3), unroll(problem)
    sides = [torch.cat([g.flatten() for g in side]) for side in (found, exact)]
    assert torch.cosine_similarity(*sides, dim=0) > 0.95


def test_samples_one_at_a_time_give_the_same_but_for_rounding(trained: Trained) -> None:
    problem, batches = trained.learner.problem, trained.learner.sampling.batches()
    own = problem.lower_parameters(), problem.upper_parameters()

    def found() -> list[torch.Tensor]:
        return [problem.lower_loss(batches, *own), problem.draw(batches.blends, *own, 1)]

    whole = found()
    problem.pieces.size = 1
    parts = found()
    problem.pieces.size = 0
    torch.testing.assert_close(whole, parts, rtol=1e-3, atol=1e-3)
