"""The generator's losses: what the discriminator judges, different images, hard pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small_learners import small_learner
from small_runs import phantom_cases, small_run

from GenSegLib.augmentation.spatial import one_hot
from GenSegLib.cases import CaseSet, Role
from GenSegLib.commands import training_job
from GenSegLib.config import TrainConfig
from GenSegLib.events import EventLog, read_events
from GenSegLib.networks.cells import LinearCell, ModulatedCell
from GenSegLib.recipes import load_recipe
from GenSegLib.training.adversarial_loss import DiscriminatorInput
from GenSegLib.training.batches import GeneratorBatch
from GenSegLib.training.learner import Learner
from GenSegLib.training.losses import diversity, hard_pair_loss
from GenSegLib.training.session import load_session

pytestmark = pytest.mark.usefixtures("few_channels")


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return small_learner(tmp_path_factory.mktemp("losses") / "run")


@pytest.fixture(scope="module")
def batch(learner: Learner) -> GeneratorBatch:
    return learner.sampler.generator_batch()


def judged(
    learner: Learner, batch: GeneratorBatch
) -> tuple[Sequence[DiscriminatorInput], Sequence[DiscriminatorInput]]:
    """What the discriminator sees: real and generated."""
    found: list[Any] = []
    loss = learner.problem.adversarial
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss, "discriminator_loss", lambda *x: found.append(x) or torch.zeros(()))
        learner.problem.discriminator_loss(batch)
    return found[0]


def test_the_discriminator_judges_pairs_as_the_segmenter_receives_them(
    learner: Learner, batch: GeneratorBatch
) -> None:
    _, ((images, labels),) = judged(learner, batch)
    problem = learner.problem
    current = problem.lower_parameters(), problem.upper_parameters()
    received, _ = problem.generate_batch(batch.blended, *current, batch.seed)
    torch.testing.assert_close(images, received)
    assert labels is batch.blended.labels


def test_real_pairs_are_judged_after_the_same_resampling_and_augmentation(
    learner: Learner, batch: GeneratorBatch
) -> None:
    ((images, labels),), _ = judged(learner, batch)
    assert batch.resampled is not None
    assert labels is batch.resampled.labels
    # a generator that changed nothing would be judged as the real image is
    nothing = replace(batch, blended=batch.resampled)
    with torch.no_grad():
        for parameter in learner.problem.generator.head.parameters():
            parameter.zero_()
    _, ((same, _),) = judged(learner, nothing)
    torch.testing.assert_close(same, images)


def test_a_resampled_pair_is_deformed_and_not_blended(learner: Learner) -> None:
    sampler = learner.sampler
    sharp = sampler.training_pairs.real_pairs(sampler.rng, 8)
    resampled = [sampler.generator_batch().resampled for _ in range(4)]
    detail = [float((x - F.avg_pool3d(x, 3, 1, 1)).std()) for x in (sharp.images,)]
    assert all(pair is not None and torch.equal(pair.source, pair.images) for pair in resampled)
    images = torch.cat([pair.images for pair in resampled if pair is not None])
    assert float((images - F.avg_pool3d(images, 3, 1, 1)).std()) < detail[0]


def with_unlabeled_cases() -> CaseSet:
    cases = phantom_cases(4)
    first = replace(cases.cases[0], role=Role.UNLABELED, label=None)
    return replace(cases, cases=(first, *cases.cases[1:]))


def test_images_of_unlabeled_cases_are_real_ones_without_masks(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", with_unlabeled_cases(), precision="fp32")
    learner = load_session(run).learner
    batch = learner.sampler.generator_batch()
    assert batch.unlabeled is not None
    assert batch.unlabeled.shape == batch.blended.images.shape
    real, generated = judged(learner, batch)
    assert [labels is None for _, labels in real] == [False, True]
    assert [labels is None for _, labels in generated] == [False, True]
    assert torch.equal(generated[0][0], generated[1][0])
    assert learner.warmup_step()["generator_loss"] > 0


def test_the_published_recipe_has_the_published_network_and_losses(tmp_path: Path) -> None:
    learner = small_learner(tmp_path / "run", **load_recipe("paper"))
    problem = learner.problem
    assert all(isinstance(cell, LinearCell) for cell in problem.generator.cells().values())
    assert problem.generator.noise_channels == 1
    batch = learner.sampler.generator_batch()
    assert batch.resampled is None
    real, generated = judged(learner, batch)
    pairs = batch.reconstructed
    assert real[0][0] is pairs.images
    weights, upper = problem.lower_parameters(), problem.upper_parameters()
    images = problem.generate_images(pairs, weights, upper, batch.seed)
    torch.testing.assert_close(generated[0][0], images)
    scores = problem.discriminator(one_hot(pairs.labels, 3), images)
    expected = F.l1_loss(images, pairs.images) + 0.01 * F.softplus(-scores).mean()
    torch.testing.assert_close(problem.lower_loss(batch, weights, upper), expected)


def test_the_published_lower_level_needs_no_unlabeled_cases() -> None:
    assert TrainConfig().uses_unlabeled
    assert not TrainConfig(**load_recipe("paper")).uses_unlabeled
    assert not TrainConfig(generator="none").uses_unlabeled


def test_the_default_generator_has_modulated_cells(learner: Learner) -> None:
    cells = learner.problem.generator.cells().values()
    assert all(isinstance(cell, ModulatedCell) for cell in cells)


def test_diversity_is_the_distance_of_images_in_units_of_the_noise_but_limited() -> None:
    images, noise = torch.zeros(2, 1, 4, 4), torch.zeros(2, 3, 4, 4)
    others = images + torch.tensor([0.1, 50.0]).reshape(2, 1, 1, 1)
    found = [diversity(images, others[[k, k]], noise, noise + 2) for k in (0, 1)]
    assert found[0] == pytest.approx(0.05)
    assert found[1] == pytest.approx(0.2)


def test_the_mode_seeking_term_drives_images_of_two_noises_apart(
    learner: Learner, batch: GeneratorBatch
) -> None:
    torch.nn.init.normal_(learner.problem.generator.head.weight, std=0.01)
    weights, upper = learner.problem.lower_parameters(), learner.problem.upper_parameters()

    def distance(weights: Sequence[torch.Tensor]) -> torch.Tensor:
        without, with_term = (
            replace(learner.problem, mode_seeking_weight=weight).lower_loss(batch, weights, upper)
            for weight in (0.0, 1.0)
        )
        return without - with_term

    before = distance(weights)
    slopes = torch.autograd.grad(before, weights)
    length = torch.stack([slope.norm() for slope in slopes]).norm()
    after = distance([w + 0.05 * slope / length for w, slope in zip(weights, slopes)])
    assert 0 < float(before.detach()) < float(after.detach())


def test_hard_pairs_raise_the_segmenters_loss_only_while_the_teacher_agrees() -> None:
    student, known = torch.tensor(1.0), torch.tensor(0.5)
    for rise, slope in ((0.0, -1.0), (0.3, 2.0)):
        hardness = torch.tensor(rise, requires_grad=True)
        hard_pair_loss(student + hardness, known + hardness, known).backward()
        assert hardness.grad == pytest.approx(slope)


def test_hard_pairs_change_the_generators_loss_and_leave_the_segmenter_to_its_own(
    learner: Learner,
) -> None:
    batch = learner.sampler.trilevel_batch()
    averaged = list(learner.averaged_segmenter.parameters())
    losses = []
    for weight in (0.0, 1.0):
        problem = replace(learner.problem, hard_pair_weight=weight)
        levels = problem.trilevel(batch, 1e-3, 1e-3, averaged)
        losses.append(levels.lower_loss(levels.lower, levels.upper))
        alone = problem.lower_loss(batch, levels.lower, levels.upper)
        torch.testing.assert_close(alone, losses[0])  # no segmenter in the warm-up
    assert not torch.allclose(losses[1], losses[0])
    found = torch.autograd.grad(losses[1], levels.middle, allow_unused=True)
    assert all(gradient is None for gradient in found)


@pytest.mark.parametrize(
    ("settings", "is_warned"),
    [({}, False), ({"generator": "regions"}, True), (load_recipe("paper"), True)],
    ids=["default", "regions", "paper"],
)
def test_a_weight_of_hard_pairs_that_has_no_effect_is_a_warning(
    settings: dict[str, Any], is_warned: bool, tmp_path: Path
) -> None:
    run = small_run(tmp_path / "run", hard_pair_weight=0.5, **settings)
    training_job._log_cases(run, EventLog(run.events_file))
    texts = [event["text"] for event in read_events(run.events_file)]
    assert any("hard_pair_weight has no effect" in text for text in texts) == is_warned
