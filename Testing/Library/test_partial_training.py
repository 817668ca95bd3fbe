"""Training runs on cases annotated in part: storage, patches, augmentation, generated pairs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from partial_cases import (
    LABELS,
    WITHOUT_POSTERIOR,
    label_array,
    load,
    partly_annotated,
    write_case,
)
from small_runs import phantom_cases, small_run

from GenSegLib.augmentation.pairs import PairSampler, combined_labels
from GenSegLib.augmentation.patches import PatchSampler
from GenSegLib.augmentation.policy import AugmentationPolicy, augment
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.regions import find_regions
from GenSegLib.augmentation.spatial import SpatialStrength
from GenSegLib.case_annotation import Annotation, ClassState
from GenSegLib.cases import CaseSet
from GenSegLib.data.case_cache import CaseCache
from GenSegLib.data.label_sets import LabelSets
from GenSegLib.data.training_case import InMemoryCase
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.events import EventLog
from GenSegLib.images.geometry import GridTransform, plan_resample
from GenSegLib.label_maps import IGNORE
from GenSegLib.training.checkpoints import TrainingState, save_checkpoint
from GenSegLib.training.session import load_session
from GenSegLib.training.synthesis import synthesize
from GenSegLib.training.train import train
from GenSegLib.training.volumes import class_voxels

pytestmark = pytest.mark.usefixtures("few_channels")

# resampling and storage


@pytest.mark.parametrize("spacing", [0.5, 1.0, 2.0, 3.0])
def test_single_annotated_slices_survive_resampling(spacing: float) -> None:
    label = np.full((12, 12, 30), IGNORE, np.int16)
    label[:, :, ::5] = 0
    label[3:9, 3:9, ::5] = 1
    step = plan_resample(np.eye(4), (12, 12, 30), (1.0, 1.0, spacing))
    found = GridTransform((step,) if step else ()).forward_label(label)
    slices = (found >= 0).all(axis=(0, 1))
    assert slices.sum() >= 6, "each annotated slice is in the result"
    assert slices.sum() * spacing <= 6 * max(2 * spacing, 2.0), "and little of what is between"
    assert (found[:, :, slices] == 1).sum() == 36 * slices.sum()
    assert (found[:, :, ~slices] == IGNORE).all()


def test_cases_on_disk_are_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases, sets = partly_annotated(tmp_path)
    memory = load(cases, sets)
    monkeypatch.setattr("GenSegLib.data.case_loading.LARGE", 0)
    stored = load(cases, sets, CaseCache(tmp_path / "cache", 1e9))
    for ours, theirs in zip(memory, stored):
        assert torch.equal(ours.label, theirs.label)
        assert ours.voxel_counts() == theirs.voxel_counts()
        assert torch.allclose(ours.centroid(), theirs.centroid())
        patches = [case.patches((16, 8, 8)) for case in (ours, theirs)]
        places = [each.annotated for each in patches]
        assert (places[0] is None) == (places[1] is None)
        assert places[0] is None or torch.equal(places[0], places[1].int() + 0)
        assert [len(v) for v in patches[0].voxels] == [len(v) for v in patches[1].voxels]
    again = load(cases, sets, CaseCache(tmp_path / "cache", 1e9))
    assert len(list((tmp_path / "cache").glob("*.case"))) == 3 and len(again) == 3
    changed = [replace(cases[1], annotation=Annotation()), *cases[2:]]
    load(changed, sets, CaseCache(tmp_path / "cache", 1e9))
    assert len(list((tmp_path / "cache").glob("*.case"))) == 4, (
        "the annotation is a part of the key"
    )


# patches and augmentation


def sparse_case(shape: tuple[int, ...] = (40, 40, 40)) -> InMemoryCase:
    """A case with a single annotated voxel, of background, in a corner."""
    label = torch.full(shape, 2)
    label[3, 36, 5] = 0
    return InMemoryCase("sparse", torch.zeros(1, *shape), label, (1.0,) * 3, classes=2)


def test_every_patch_has_an_annotated_voxel() -> None:
    _, labels = PatchSampler([sparse_case()], (8, 8, 8)).sample(RandomGenerator(0), 40)
    assert (labels != 2).flatten(1).any(1).all()
    places = {tuple((label[0] == 0).nonzero()[0].tolist()) for label in labels}
    assert len(places) > 20, "it may be anywhere in the patch"


def test_foreground_patches_are_centered_on_annotated_voxels() -> None:
    case = sparse_case()
    case.label[20, 20, 20] = 1
    assert [len(found) for found in case.patches((8, 8, 8)).voxels] == [1]
    _, labels = PatchSampler([case], (8, 8, 8), foreground_fraction=1.0).sample(
        RandomGenerator(0), 8
    )
    assert (labels[:, 0, 4, 4, 4] == 1).all()


def test_augmentation_moves_ignored_voxels_with_the_image() -> None:
    image = torch.zeros(4, 1, 16, 16, 16)
    labels = torch.zeros(4, 1, 16, 16, 16, dtype=torch.long)
    image[:, :, 8:], labels[:, :, 8:] = 1.0, 3
    policy = replace(AugmentationPolicy(), probability=0.0)
    images, moved = augment(image, labels, 5, policy, RandomGenerator(0))
    assert set(moved.unique().tolist()) == {0, 3}
    assert float(((images > 0.5) == (moved == 3)).float().mean()) > 0.98


def test_regions_of_unknown_voxels_are_divided_as_those_of_the_background() -> None:
    case = sparse_case((16, 40, 16))
    case.image[0, :8] = 5.0
    regions = find_regions(case, 0, class_count=2)
    assert set(regions.classes) == {0} and len(regions.classes) >= 2


# generated pairs


def test_blends_keep_what_either_case_does_not_know() -> None:
    sets = LabelSets.of([WITHOUT_POSTERIOR], LABELS, {})
    assert sets.sets == ((0, 1, 2), (0, 2))
    here = torch.tensor([0, 4, 4, 4, 3, 1, 4])
    there = torch.tensor([0, 0, 2, 1, 1, 3, 1])
    weight = torch.tensor([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.99])
    shape = (1, 1, 7)
    labels = [x.reshape(shape) for x in (torch.tensor([0, 0, 2, 1, 1, 1, 4]), here, there)]
    found = combined_labels(*labels, weight.reshape(shape), sets)
    assert found.flatten().tolist() == [0, 4, 4, 3, 3, 3, 1]


def test_generated_pairs_come_from_annotated_voxels(tmp_path: Path) -> None:
    cases, sets = partly_annotated(tmp_path)
    loaded = load(cases, sets)
    sampler = PairSampler(loaded, sets.classes, (8, 8, 8), RandomGenerator(0), sets=sets)
    pairs = sampler.blended_pairs(RandomGenerator(1), 6, SpatialStrength(), 1.0)
    assert (pairs.labels != sets.classes).flatten(1).any(1).all()
    without = sampler.subset([1]).blended_pairs(RandomGenerator(3), 4, SpatialStrength(), 1.0)
    assert set(without.labels.unique().tolist()) <= {1, 3, 4}, "nothing is certainly background"
    alone = sampler.subset([2])
    pairs = alone.blended_pairs(RandomGenerator(2), 4, SpatialStrength(), 1.0)
    assert float((pairs.labels == sets.classes).float().mean()) > 0.3, "most slices were not drawn"


# training runs


@pytest.fixture(scope="module")
def partly_labeled() -> CaseSet:
    """Four phantoms: complete, without Posterior, one of three slices, validated without it."""
    found = list(phantom_cases().cases)
    found[1] = replace(found[1], annotation=WITHOUT_POSTERIOR)
    found[2] = replace(found[2], annotation=Annotation(only_slices="coronal"))
    found[3] = replace(found[3], annotation=WITHOUT_POSTERIOR)
    return replace(phantom_cases(), cases=tuple(found))


def test_partly_annotated_cases_are_trained_on_and_validated(
    partly_labeled: CaseSet, tmp_path: Path
) -> None:
    steps = {"warmup_steps": 1, "joint_steps": 2, "final_steps": 1}
    run = small_run(tmp_path / "run", partly_labeled, generator="regions", **steps)
    train(run, EventLog(None))
    assert run.model.is_dir()
    previews = sorted(run.previews.glob("*/validation.json"))
    dices = json.loads(previews[-1].read_text(encoding="utf-8"))["dice"]
    assert all(0 <= dice <= 1 for dice in dices.values())


def test_generated_pairs_of_a_training_say_what_they_do_not_know(
    partly_labeled: CaseSet, tmp_path: Path
) -> None:
    run = small_run(tmp_path / "run", partly_labeled, generator="searchable")
    session = load_session(run)
    steps = session.learner.warmup_step(), session.learner.joint_step(0)
    assert all(math.isfinite(loss) for losses in steps for loss in losses.values())
    save_checkpoint(run.checkpoints, TrainingState(), session.learner, 1)
    synthesize(run, tmp_path / "pairs", 1, seed=0)
    (case,) = read_cases(tmp_path / "pairs").cases
    assert case.annotation.values == {3: IGNORE}


def test_a_training_counts_only_annotated_voxels(partly_labeled: CaseSet, tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", partly_labeled, generator="none")
    learner = load_session(run).learner
    assert learner.problem.sets is not None
    counted = sum(class_voxels(learner.cases, learner.sets))
    ignored = sum(case.voxel_counts().get(3, 0) for case in learner.cases)
    assert 0 < ignored < math.prod(learner.cases[0].shape)
    assert counted == sum(math.prod(case.shape) for case in learner.cases) - ignored


def test_complete_cases_are_trained_on_by_the_usual_loss(tmp_path: Path) -> None:
    learner = load_session(small_run(tmp_path / "run", generator="none")).learner
    assert learner.problem.sets is None


def test_where_each_case_annotates_another_class_nothing_is_certainly_background(
    tmp_path: Path,
) -> None:
    names = ["a", "bb", "ccc", "dddd"]
    label = label_array()
    other = Annotation({"Anterior": ClassState.NOT_ANNOTATED})
    cases = [
        write_case(
            tmp_path,
            name,
            np.where(label == 1 + k % 2, label, 0),
            (WITHOUT_POSTERIOR, other)[k % 2],
        )
        for k, name in enumerate(names)
    ]
    sets = LabelSets.of([case.annotation for case in cases], LABELS, {})
    assert sets.sets == ((0, 1, 2), (0, 1), (0, 2))
    for case in load(cases, sets):
        counts = case.voxel_counts()
        assert 0 not in counts, "no voxel is certainly background"
