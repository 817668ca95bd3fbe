"""Learning from unlabeled cases under predicted labels, mixed with labeled ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_up_case import made_up_case
from small_runs import small_run
from unlabeled_runs import run_of

from GenSegLib.augmentation.copy_paste import copy_paste
from GenSegLib.augmentation.patches import PatchSampler
from GenSegLib.augmentation.policy import AugmentationPolicy
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.region_table import TargetContrasts
from GenSegLib.augmentation.regions import find_regions
from GenSegLib.cases import Role
from GenSegLib.config import TrainConfig
from GenSegLib.data.label_sets import LabelSets
from GenSegLib.data.training_case import TrainingCase
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog, read_events
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder, State
from GenSegLib.training import pseudo_label_checks
from GenSegLib.training.pseudo_label_checks import CasePrediction, Reference
from GenSegLib.training.pseudo_labels import PseudoLabels
from GenSegLib.training.rounds import Rounds
from GenSegLib.training.sampling import BatchSampler
from GenSegLib.training.session import load_session
from GenSegLib.training.train import train
from GenSegLib.training.validation import CaseSegmenter
from Testing.training_states import differing, final_state

CPU = torch.device("cpu")
SHAPE = (40, 32, 6)


def unlabeled_case(name: str = "a") -> TrainingCase:
    case = made_up_case(SHAPE)
    return dataclasses.replace(case, name=name, label=torch.zeros(SHAPE, dtype=torch.uint8))


def predicted(certainty: float = 0.9, *, anything: bool = True) -> CasePrediction:
    classes = np.zeros(SHAPE, np.uint8)
    classes[10:20, 10:20, 2:4] = anything
    return CasePrediction(classes, np.full(SHAPE, certainty, np.float16))


def test_boxes_are_exchanged_with_their_labels_in_both_directions() -> None:
    def batch(value: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = torch.full((8, 1, 12, 12), value)
        return labels.float(), labels

    images, labels = copy_paste(batch(0), batch(1), RandomGenerator(0))
    assert images.shape == (16, 1, 12, 12)
    assert torch.equal(images.long(), labels)
    foreign = torch.cat([labels[:8] == 1, labels[8:] == 0]).flatten(1).sum(1).tolist()
    assert set(foreign) == {0, 64}  # a part of the samples stays as it is


def test_batches_of_different_sizes_can_be_mixed() -> None:
    first, second = (torch.zeros(n, 2, 9, 9, 6) for n in (3, 2))
    pairs = ((images, images[:, :1].long()) for images in (first, second))
    images, labels = copy_paste(*pairs, RandomGenerator(0))
    assert images.shape == (5, 2, 9, 9, 6) and labels.shape == (5, 1, 9, 9, 6)


@pytest.mark.parametrize(("target_scanner", "is_mixed"), [(0.0, True), (0.5, False)])
def test_boxes_are_exchanged_with_images_of_the_same_scanner_only(
    target_scanner: float, is_mixed: bool
) -> None:
    config = TrainConfig(
        generator="none",
        self_training=True,
        target_scanner=target_scanner,
        batch_size=16,
    )
    preset = dataclasses.replace(load_preset("generic-mri"), patch_size=(16, 16, 8), mirror_axes=())
    policy = AugmentationPolicy.for_preset(preset).scaled(0)
    dark, bright = (
        dataclasses.replace(made_up_case((40, 32, 16)), image=torch.full((1, 40, 32, 16), value))
        for value in (0.0, 1.0)
    )
    sampler = BatchSampler(config, policy, [dark, bright], 2, 2, preset, RandomGenerator(0))

    def are_mixed() -> bool:
        images, _ = sampler.real(include_validation=False)
        return any(image.round().unique().numel() > 1 for image in images)

    assert not are_mixed()  # labeled images alone
    sampler.set_unlabeled([bright])
    assert are_mixed() == is_mixed


@pytest.mark.parametrize("generator", ["none", "regions"])
def test_the_sample_of_a_small_batch_is_a_labeled_or_an_unlabeled_one(generator: str) -> None:
    config = TrainConfig(generator=generator, self_training=True, batch_size=1)
    preset = dataclasses.replace(load_preset("generic-mri"), patch_size=(16, 16, 8), mirror_axes=())
    policy = AugmentationPolicy.for_preset(preset).scaled(0)
    dark, bright = (
        dataclasses.replace(made_up_case((40, 32, 16)), image=torch.full((1, 40, 32, 16), value))
        for value in (0.0, 1.0)
    )
    sampler = BatchSampler(config, policy, [dark], 1, 2, preset, RandomGenerator(0))
    sampler.set_unlabeled([bright])
    batches = [sampler.real(include_validation=False)[0] for _ in range(12)]
    assert {len(images) for images in batches} == {1}
    assert len({float(images.mean().round()) for images in batches}) > 1


def test_patches_of_an_unlabeled_case_carry_the_predicted_labels() -> None:
    labels = PseudoLabels([unlabeled_case()], 2, CPU)
    labels.update(lambda _: predicted(), 0.3, 10.0)
    images, found = PatchSampler(labels.cases, (48, 32, 8)).sample(RandomGenerator(0), 1)
    assert images.shape == (1, 1, 48, 32, 8)
    assert torch.equal(found[0, 0, 4:44, :, 1:7], torch.from_numpy(predicted().classes).long())


def test_cases_that_the_model_is_uncertain_about_are_left_out_and_named() -> None:
    predictions = {
        "sure": predicted(),
        "uncertain": predicted(certainty=0.55),
        "empty": predicted(anything=False),
    }
    labels = PseudoLabels([unlabeled_case(name) for name in predictions], 2, CPU)
    labels.update(lambda case: predictions[case.name], 0.3, 10.0)
    assert len(labels.cases) == 1
    assert labels.uncertain == ["uncertain", "empty"]


def test_uncertainty_is_judged_by_that_on_labeled_cases() -> None:
    labels = PseudoLabels([unlabeled_case()], 2, CPU)
    labels.update(lambda _: predicted(0.7), 0.3, 10.0, Reference(0.28, 0.28))
    assert len(labels.cases) == 1
    labels.update(lambda _: predicted(0.7), 0.5, 10.0, Reference(0.2, 0.2))
    assert labels.uncertain == ["a"]


@pytest.mark.parametrize(("size", "is_plausible"), [(0.2, True), (2.0, False), (0.01, False)])
def test_cases_with_structures_of_another_size_are_left_out_however_certain_the_model_is(
    size: float, is_plausible: bool
) -> None:
    """As in another part of the body; the prediction is of 0.2 ml."""
    sets = LabelSets.of((), {1: "Liver"}, {})
    reference = Reference(0.1, 0.1, {1: (size, size)}, sets)
    labels = PseudoLabels([unlabeled_case()], 2, CPU)
    labels.update(lambda _: predicted(0.95), 0.3, 10.0, reference)
    assert labels.implausible == ({} if is_plausible else {"a": "Liver"})
    assert len(labels.cases) == is_plausible


def test_labels_on_other_scanners_may_be_worse() -> None:
    sets, case = LabelSets.of((), {1: "Liver"}, {}), made_up_case(SHAPE)
    prediction, smaller = predicted(0.75), predicted(0.65)
    smaller.classes[:, :, 3] = 0
    reasons = [
        Reference.of([case], [(case, prediction)], sets, is_other_scanner=other).rejection_reason(
            unlabeled_case(), smaller
        )
        for other in (False, True)
    ]
    assert reasons == ["uncertain", ""]


def test_cases_that_were_never_labeled_are_named() -> None:
    labels = PseudoLabels([unlabeled_case(name) for name in "abc"], 2, CPU)
    labels.update(lambda _: predicted(), 0.3, -1.0)
    assert labels.unseen == ["b", "c"]


def test_small_cases_are_labeled_first_and_none_after_a_request_to_stop() -> None:
    large = dataclasses.replace(unlabeled_case("large"), label=torch.zeros(80, 64, 12))
    labels = PseudoLabels([large, unlabeled_case("small")], 2, CPU)
    labels.update(lambda _: predicted(), 0.3, 10.0, is_stopped=lambda: True)
    assert labels.unseen == ["large"]


def test_voxels_that_the_model_is_uncertain_about_are_ignored() -> None:
    prediction = predicted()
    prediction.confidence[10:12, 10:20, 2:4] = 0.5
    labels = PseudoLabels([unlabeled_case()], 2, CPU)
    labels.update(lambda _: prediction, 0.3, 10.0, Reference(0.2, 0.2))
    patches = labels.cases[0].patches(SHAPE)
    _, label = patches.cut(tuple(slice(0, size) for size in SHAPE))
    assert (label[0, 10:12, 10:20, 2:4] == 2).all() and (label[0, 12:20, 10:20, 2:4] == 1).all()
    assert len(patches.voxels) == 1  # patches are not centered on ignored voxels


def test_labels_are_renewed_at_intervals() -> None:
    labels = PseudoLabels([unlabeled_case()], 2, CPU, (0.25, 0.15))
    assert not labels.is_due(0.24)
    assert labels.is_due(0.25)
    labels.update(lambda _: predicted(), 0.3, 10.0)
    assert not labels.is_due(0.31)
    assert labels.is_due(0.45)


def test_when_time_is_short_the_next_cases_follow_later() -> None:
    labels = PseudoLabels([unlabeled_case(name) for name in "abc"], 2, CPU)
    seen: list[str] = []

    def predict(case: TrainingCase) -> CasePrediction:
        seen.append(case.name)
        return predicted()

    for progress in (0.3, 0.5, 0.7, 0.9):
        labels.update(predict, progress, -1.0)
    assert seen == ["a", "b", "c", "a"]


def test_contrasts_of_a_class_are_those_of_the_same_class_in_unlabeled_images() -> None:
    labels = PseudoLabels([unlabeled_case()], 2, CPU)
    labels.update(lambda _: predicted(), 0.3, 10.0)
    assert set(find_regions(labels.cases[0], 0).classes) == {0, 1}
    means = torch.tensor([[[0.0], [1.0], [5.0]], [[0.0], [2.0], [7.0]]])
    targets = TargetContrasts(means, torch.ones(2, 3, 1), torch.tensor([[0, 0, 1], [0, 0, 1]]))
    wanted = torch.tensor([[1, 0]]).expand(20, 2)
    drawn, _ = targets.draw(wanted, RandomGenerator(0))
    assert set(drawn[:, 0, 0].tolist()) == {5.0, 7.0}
    assert set(drawn[:, 1, 0].tolist()) == {0.0, 1.0, 2.0}


def test_a_class_that_an_unlabeled_image_lacks_gets_any_contrast() -> None:
    targets = TargetContrasts(
        torch.tensor([[[0.0], [1.0]]]), torch.ones(1, 2, 1), torch.tensor([[0, -1]])
    )
    drawn, _ = targets.draw(torch.tensor([[2, 3]]), RandomGenerator(0))
    assert drawn.flatten().tolist() == [0.0, 0.0]


@pytest.fixture
def _any_certainty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pseudo_label_checks, "MAX_UNCERTAINTY", 1.0)
    monkeypatch.setattr(Reference, "rejection_reason", lambda *_: "")


def trained(run: RunFolder) -> RunFolder:
    train(run, EventLog(run.events_file))
    assert run.read_status()["state"] == State.FINISHED.value
    return run


def messages(run: RunFolder) -> str:
    return "\n".join(event["text"] for event in read_events(run.events_file) if "text" in event)


@pytest.mark.usefixtures("_any_certainty", "few_channels")
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, run = trained(run_of(tmp_path / "whole")), run_of(tmp_path / "run")
    assert "includes 2 of 2 unlabeled cases" in messages(whole)

    def stop(event: dict[str, Any]) -> None:
        if event["kind"] == "metrics" and event["step"] == 6:
            run.request_stop()

    train(run, EventLog(run.events_file, [stop]))
    assert run.read_status()["state"] == State.STOPPED.value
    train(run, EventLog(run.events_file), resume=True)
    states = (final_state(each)["learner"] for each in (whole, run))
    assert differing(*states) == []


@pytest.mark.usefixtures("_any_certainty", "few_channels")
def test_unlabeled_scans_of_another_scanner_steer_its_appearance(tmp_path: Path) -> None:
    learner = load_session(
        run_of(tmp_path / "run", generator="regions", target_scanner=0.5)
    ).learner
    assert len(learner.sampler.validation_views(RandomGenerator(0), 0.5)) == 2
    learner.progress = 0.5
    assert learner.is_labeling_due()
    shape = tuple(learner.cases[0].shape)

    def predict(case: TrainingCase) -> CasePrediction:
        classes = np.zeros(case.shape, np.uint8)
        classes[tuple(slice(4, size - 4) for size in shape)] = 1
        return CasePrediction(classes, np.ones(case.shape, np.float16))

    learner.label_unlabeled(predict, 10.0)
    assert not learner.is_labeling_due()
    assert [weight for weight, *_ in learner.sampler.validation_views(RandomGenerator(0), 0.5)] == [
        0.5,
        0.25,
        0.25,
    ]
    recoloring = learner.sampler.recoloring
    assert recoloring is not None and recoloring.appearance.targets is not None
    assert set(recoloring.appearance.targets.classes.unique().tolist()) == {-1, 0, 1}
    assert learner.joint_step(0)["segmenter_loss"] > 0


@pytest.mark.usefixtures("_any_certainty", "few_channels")
def test_batches_need_not_contain_unlabeled_scans_whose_contrasts_are_imitated(
    tmp_path: Path,
) -> None:
    run = run_of(tmp_path / "run", generator="regions", unlabeled_fraction=0.0)
    text = messages(trained(run))
    assert "certain about 2 of 2 unlabeled cases; structures get their contrasts" in text
    assert "training includes" not in text


@pytest.mark.usefixtures("few_channels")
def test_scans_that_the_model_finds_nothing_in_are_reported(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run")
    learner = load_session(run).learner
    learner.label_unlabeled(nothing_found, 10.0)
    Rounds(run, EventLog(run.events_file)).report_unlabeled(learner)
    names = ", ".join(case.name for case in run.cases.of_role(Role.UNLABELED))
    assert f"uncertain about them: {names}" in messages(run)


def nothing_found(case: TrainingCase) -> CasePrediction:
    return CasePrediction(np.zeros(case.shape, np.uint8), np.ones(case.shape, np.float16))


@pytest.mark.usefixtures("few_channels")
def test_a_model_that_is_uncertain_about_labeled_cases_judges_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pseudo_label_checks, "MAX_UNCERTAINTY", -1.0)
    run = trained(run_of(tmp_path / "run", joint_steps=1, final_steps=1))
    text = messages(run)
    assert "not good enough yet to judge unlabeled cases" in text
    assert "never was good enough to label the 2 unlabeled cases" in text


@pytest.mark.usefixtures("few_channels")
def test_cases_that_were_left_out_give_neither_contrasts_nor_styles(tmp_path: Path) -> None:
    learner = load_session(run_of(tmp_path / "run", generator="regions")).learner
    recoloring = learner.sampler.recoloring
    assert recoloring is not None
    assert recoloring.donors is not None and recoloring.appearance.targets is not None
    learner.label_unlabeled(nothing_found, 10.0)
    assert recoloring.donors is None and recoloring.appearance.targets is None
    assert learner.joint_step(0)["segmenter_loss"] > 0


@pytest.mark.usefixtures("few_channels")
def test_scans_of_another_scanner_give_contrasts_until_one_can_be_labeled(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", generator="regions", target_scanner=0.5)
    learner = load_session(run).learner
    recoloring = learner.sampler.recoloring
    assert recoloring is not None and recoloring.appearance.targets is not None
    before = recoloring.appearance.targets.means
    learner.label_unlabeled(nothing_found, 10.0)
    assert recoloring.donors is not None
    assert torch.equal(recoloring.appearance.targets.means, before)


@pytest.mark.usefixtures("few_channels")
def test_the_discriminator_does_not_see_cases_that_were_left_out(tmp_path: Path) -> None:
    learner = load_session(run_of(tmp_path / "run", generator="searchable")).learner
    assert learner.sampler.generator_batch().unlabeled is not None
    learner.label_unlabeled(nothing_found, 10.0)
    assert learner.sampler.generator_batch().unlabeled is None


@pytest.mark.usefixtures("few_channels")
def test_as_much_of_a_large_scan_is_labeled_as_fits_into_the_time(tmp_path: Path) -> None:
    session = load_session(run_of(tmp_path / "run"))
    case, patch = session.learner.cases[0], session.learner.preset.patch_size
    segmenter = CaseSegmenter(session.learner, list(session.names))
    assert segmenter.predict(case).is_whole
    part = segmenter.predict(case, limit_s=0.0)
    assert not part.is_whole
    predicted = np.argwhere(part.confidence > 0)
    box = [slice((size - edge) // 2, (size + edge) // 2) for size, edge in zip(case.shape, patch)]
    assert (predicted >= [part.start for part in box]).all()
    assert (predicted < [part.stop for part in box]).all()


def test_self_training_needs_unlabeled_cases(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", generator="none", self_training=True)
    with pytest.raises(GenSegError, match="no case has the role unlabeled"):
        load_session(run)
