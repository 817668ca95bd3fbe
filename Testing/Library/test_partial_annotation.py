"""Cases annotated in part: what their lists and files say, and how it reaches a training."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import phantom_cases, small_preset, small_run

from GenSegLib.augmentation.pairs import PairSampler, combined_labels
from GenSegLib.augmentation.patches import PatchSampler
from GenSegLib.augmentation.policy import AugmentationPolicy, augment
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.regions import find_regions
from GenSegLib.augmentation.spatial import SpatialStrength
from GenSegLib.case_annotation import Annotation, ClassState
from GenSegLib.cases import Case, CaseSet
from GenSegLib.cli import main
from GenSegLib.data.case_cache import CaseCache
from GenSegLib.data.case_fingerprint import fingerprint_case
from GenSegLib.data.case_loading import load_training_cases
from GenSegLib.data.checks import check_cases
from GenSegLib.data.classes import class_warnings
from GenSegLib.data.image_io import Volume, read_label, write_image, write_label
from GenSegLib.data.label_sets import LabelSets
from GenSegLib.data.layouts import read_cases
from GenSegLib.data.training_case import InMemoryCase, TrainingCase
from GenSegLib.errors import GenSegError
from GenSegLib.evaluation.evaluate import evaluate_folders
from GenSegLib.evaluation.metrics import case_scores
from GenSegLib.evaluation.reference_list import ReferenceList
from GenSegLib.events import EventLog
from GenSegLib.images.geometry import GridTransform, plan_resample
from GenSegLib.label_maps import IGNORE
from GenSegLib.presets import Preset
from GenSegLib.training.checkpoints import TrainingState, save_checkpoint
from GenSegLib.training.session import load_session
from GenSegLib.training.synthesis import synthesize
from GenSegLib.training.train import train

CPU = torch.device("cpu")
LABELS = {1: "Anterior", 2: "Posterior"}
SHAPE = (12, 10, 8)
WITHOUT_POSTERIOR = Annotation({"posterior": ClassState.NOT_ANNOTATED})


def label_array() -> np.ndarray:
    """Anterior (6 x 4 x 4) and Posterior (6 x 3 x 4) side by side in slices 2 to 5."""
    label = np.zeros(SHAPE, np.int16)
    label[2:8, 1:5, 2:6], label[2:8, 5:8, 2:6] = 1, 2
    return label


def write_case(
    folder: Path, name: str, label: np.ndarray, annotation: Annotation | None = None
) -> Case:
    """Write a bright image and a NIfTI label, both of 1 mm in RAS."""
    noise = np.random.default_rng(len(name) + ord(name[0])).normal(size=SHAPE)
    image = (100 * (label_array() > 0) + noise).astype(np.float32)
    image_path, label_path = (
        folder / "images" / f"{name}.nii.gz",
        folder / "labels" / f"{name}.nii.gz",
    )
    write_image(image_path, Volume(image[None], np.eye(4)))
    write_label(label_path, Volume(label[None], np.eye(4)))
    return Case(name, image_path, label_path, annotation=annotation or Annotation())


def read(case: Case) -> np.ndarray:
    assert case.label is not None
    return read_label(case.label, classes=LABELS, annotation=case.annotation).array[0]


# lists and files


def test_a_list_says_what_was_annotated(tmp_path: Path) -> None:
    annotation = Annotation(
        {"Posterior": ClassState.ABSENT, "Anterior": ClassState.NOT_ANNOTATED},
        only_slices="axial",
        scribbles=True,
        values={3: IGNORE},
    )
    case = replace(write_case(tmp_path, "a", label_array()), annotation=annotation)
    cases = CaseSet((case,), LABELS)
    entry = cases.to_json(tmp_path)["cases"][0]
    assert entry["classes"] == {"Posterior": "absent", "Anterior": "not annotated"}
    assert (entry["only_slices"], entry["scribbles"]) == ("axial", True)
    (tmp_path / "cases.json").write_text(json.dumps(cases.to_json(tmp_path)), encoding="utf-8")
    assert read_cases(tmp_path).cases[0].annotation == annotation
    plain = replace(case, annotation=Annotation()).to_json(tmp_path)
    assert set(plain) == {"name", "image", "label", "role"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"classes": {"Liver": "unknown"}}, "case a: \"classes\": Liver is 'unknown', not one of"),
        ({"classes": ["Liver"]}, '"classes" must be an object'),
        ({"only_slices": "red"}, '"only_slices" must be one of sagittal, coronal, axial'),
        ({"scribbles": "yes"}, '"scribbles" must be true or false'),
        ({"values": {"3": "nothing"}}, '"values" must be an object such as'),
    ],
)
def test_a_list_that_says_nonsense_is_refused(entry: dict[str, object], message: str) -> None:
    values = {"cases": [{"name": "a", "image": "a.nii", "label": "b.nii", **entry}]}
    with pytest.raises(GenSegError, match=message):
        CaseSet.from_json(values, Path())


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "Anterior": 1, "Posterior": 2, "ignore": 3},
        {"0": "background", "1": "Anterior", "2": "Posterior", "3": "Ignore"},
    ],
    ids=["nnU-Net", "Decathlon"],
)
def test_the_label_ignore_of_a_data_set_is_no_class(tmp_path: Path, labels: object) -> None:
    label = label_array()
    label[:, :, 0] = 3
    write_case(tmp_path, "a", label)
    dataset = {
        "labels": labels,
        "training": [{"image": "images/a.nii.gz", "label": "labels/a.nii.gz"}],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(dataset), encoding="utf-8")
    cases = read_cases(tmp_path)
    assert cases.labels == LABELS
    found = read(cases.cases[0])
    assert (found[:, :, 0] == IGNORE).all() and (found[:, :, 1:] >= 0).all()
    (check,) = check_cases(cases)
    assert check.ok and check.ignored == 120 and check.voxels == {1: 96, 2: 72}


def test_a_segment_named_ignore_wins_and_one_named_background_loses(tmp_path: Path) -> None:
    label = np.zeros((1, 6, 5, 4), np.int16)
    label[0, :3], label[0, 3], label[0, 4] = 1, 2, 3
    names = {1: "Anterior", 2: " IGNORE ", 3: "background"}
    write_label(tmp_path / "a.seg.nrrd", Volume(label, np.eye(4)), names)
    found = read_label(tmp_path / "a.seg.nrrd", classes=LABELS).array[0]
    assert [found[x, 0, 0] for x in range(6)] == [1, 1, 1, IGNORE, 0, 0]
    scribbled = Annotation(scribbles=True)
    found = read_label(tmp_path / "a.seg.nrrd", classes=LABELS, annotation=scribbled).array[0]
    assert [found[x, 0, 0] for x in range(6)] == [1, 1, 1, IGNORE, 0, IGNORE]


def test_slices_without_a_segment_are_ignored_in_the_drawing_plane(tmp_path: Path) -> None:
    label = label_array()
    label[:, :, [3, 5]] = 0
    case = write_case(tmp_path, "a", label)
    for plane, axis, drawn in (("axial", 2, [2, 4]), ("sagittal", 0, range(2, 8))):
        found = read(replace(case, annotation=Annotation(only_slices=plane)))
        found = np.moveaxis(found, axis, 0)
        assert [k for k in range(len(found)) if (found[k] >= 0).all()] == list(drawn)
        assert all((found[k] == IGNORE).all() for k in range(len(found)) if k not in drawn)


def test_planes_are_those_of_the_patient_whatever_the_order_of_axes(tmp_path: Path) -> None:
    affine = np.eye(4)[[2, 0, 1, 3]]  # the second axis of the array is inferior-superior
    label = np.zeros((1, 5, 6, 7), np.int16)
    label[0, 2, 1:3, 1:3] = 1
    write_label(tmp_path / "a.nii.gz", Volume(label, affine))
    volume = read_label(tmp_path / "a.nii.gz", annotation=Annotation(only_slices="axial"))
    axis = [code in "SI" for code in volume.orientation].index(True)
    known = (volume.array[0] >= 0).all(axis=tuple({0, 1, 2} - {axis}))
    assert volume.shape[axis] == 6 and np.flatnonzero(known).tolist() == [1, 2]


# checks, counts, volumes, fingerprint


def test_checks_find_what_a_case_cannot_mean(tmp_path: Path) -> None:
    def only(name: str, state: ClassState) -> CaseSet:
        case = write_case(tmp_path, "a", label_array(), Annotation({name: state}))
        return CaseSet((case,), LABELS)

    (check,) = check_cases(only("Posterior", ClassState.ABSENT))
    assert "Posterior is said to be absent, but 72 voxels of it are labeled" in check.errors[0]
    (check,) = check_cases(only("Tail", ClassState.ABSENT))
    assert '"classes" names Tail, which is none of the classes' in check.errors[0]
    (check,) = check_cases(only("Posterior", ClassState.NOT_ANNOTATED))
    assert check.ok and check.voxels == {1: 96}
    assert check.warnings == ("Posterior is not annotated: 72 labeled voxels of it are not used",)
    empty = np.zeros(SHAPE, np.int16)
    case = write_case(tmp_path, "b", empty, Annotation(only_slices="axial"))
    (check,) = check_cases(CaseSet((case,), LABELS))
    assert check.errors == ("nobody annotated a voxel of the label; segment something",)


def test_a_missing_class_is_a_warning_unless_the_case_says_what_it_means(tmp_path: Path) -> None:
    label = label_array()
    cases = [write_case(tmp_path, name, label) for name in "ab"]
    cases.append(write_case(tmp_path, "c", np.where(label == 1, 1, 0)))

    def warnings() -> list[str]:
        found = CaseSet(tuple(cases), LABELS)
        return class_warnings(found, check_cases(found))

    (line,) = warnings()
    assert line.startswith("class Posterior is missing in 1 of 3 labeled cases (c), which count as")
    assert '"classes": {"Posterior": "not annotated"}' in line
    for state in (ClassState.ABSENT, ClassState.NOT_ANNOTATED):
        cases[2] = replace(cases[2], annotation=Annotation({"Posterior": state}))
        assert warnings() == []


def test_a_healthy_patient_that_says_so_is_learned_from_without_a_warning(tmp_path: Path) -> None:
    empty = np.zeros(SHAPE, np.int16)
    healthy = Annotation(dict.fromkeys(LABELS.values(), ClassState.ABSENT))
    cases = (write_case(tmp_path, "a", label_array()), write_case(tmp_path, "b", empty, healthy))
    checks = check_cases(CaseSet(cases, LABELS))
    assert [check.ok for check in checks] == [True, True]
    assert checks[1].warnings == ()


def test_volumes_of_partly_annotated_cases_are_not_compared(tmp_path: Path) -> None:
    label = label_array()
    cases = [write_case(tmp_path, f"case_{k}", label) for k in range(5)]
    sparse = label.copy()
    sparse[:, :, 3:6] = 0
    cases.append(write_case(tmp_path, "sparse", sparse))
    assert any(
        "has a volume of" in w for w in check_cases(CaseSet(tuple(cases), LABELS))[5].warnings
    )
    cases[5] = replace(cases[5], annotation=Annotation(only_slices="axial"))
    assert check_cases(CaseSet(tuple(cases), LABELS))[5].warnings == ()


def test_a_patient_who_is_said_to_be_healthy_is_not_compared(tmp_path: Path) -> None:
    cases = [write_case(tmp_path, f"case_{k}", label_array()) for k in range(5)]
    healthy = write_case(tmp_path, "healthy", np.zeros_like(label_array()))
    absent = Annotation(dict.fromkeys(LABELS.values(), ClassState.ABSENT))
    cases.append(replace(healthy, annotation=absent))
    assert check_cases(CaseSet(tuple(cases), LABELS))[5].warnings == ()


def test_the_fingerprint_of_single_slices_is_that_of_the_whole() -> None:
    image = np.random.default_rng(0).normal(size=(1, 20, 20, 20)).astype(np.float32)
    label = np.zeros((1, 20, 20, 20), np.int16)
    label[0, 4:16, 6:14, 5:16] = 1
    whole = fingerprint_case(Volume(image, np.eye(4)), Volume(label, np.eye(4))).structures[1]
    label[0, :, :, [k for k in range(20) if k % 5]] = IGNORE
    sparse = fingerprint_case(Volume(image, np.eye(4)), Volume(label, np.eye(4))).structures[1]
    assert sparse.extent_mm == (12.0, 8.0, 11.0) == whole.extent_mm
    assert sparse.slices == whole.slices
    assert sparse.largest_component == 1.0
    assert sparse.thickness_mm(2) == pytest.approx(whole.thickness_mm(2))
    assert sparse.faces_mm2[2] == 0, "the border of ignored voxels is no surface"


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


def preset_without_resampling() -> Preset:
    return replace(
        small_preset(), spacing=(1.0, 1.0, 1.0), multiple=4, patch_size=(8, 8, 8), labels={}
    )


def load(cases: list[Case], sets: LabelSets, cache: CaseCache | None = None) -> list[TrainingCase]:
    preset = preset_without_resampling()
    return load_training_cases(cases, preset, sets.names, CPU, cache, sets=sets)


def partly_annotated(folder: Path) -> tuple[list[Case], LabelSets]:
    """A complete case, one without Posterior, and one of which two slices were drawn."""
    label = label_array()
    sparse = label.copy()
    sparse[:, :, [3, 5]] = 0
    cases = [
        write_case(folder, "complete", label),
        write_case(folder, "one", label, WITHOUT_POSTERIOR),
        write_case(folder, "sparse", sparse, Annotation(only_slices="axial")),
    ]
    return cases, LabelSets.of([case.annotation for case in cases], LABELS, {})


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


def rng(seed: int = 0) -> RandomGenerator:
    return RandomGenerator(torch.Generator().manual_seed(seed), CPU)


def test_every_patch_has_an_annotated_voxel() -> None:
    _, labels = PatchSampler([sparse_case()], (8, 8, 8)).sample(rng(), 40)
    assert (labels != 2).flatten(1).any(1).all()
    places = {tuple((label[0] == 0).nonzero()[0].tolist()) for label in labels}
    assert len(places) > 20, "it may be anywhere in the patch"


def test_foreground_patches_are_centered_on_annotated_voxels() -> None:
    case = sparse_case()
    case.label[20, 20, 20] = 1
    assert [len(found) for found in case.patches((8, 8, 8)).voxels] == [1]
    _, labels = PatchSampler([case], (8, 8, 8), foreground_fraction=1.0).sample(rng(), 8)
    assert (labels[:, 0, 4, 4, 4] == 1).all()


def test_augmentation_moves_ignored_voxels_with_the_image() -> None:
    image = torch.zeros(4, 1, 16, 16, 16)
    labels = torch.zeros(4, 1, 16, 16, 16, dtype=torch.long)
    image[:, :, 8:], labels[:, :, 8:] = 1.0, 3
    policy = replace(AugmentationPolicy(), probability=0.0)
    images, moved = augment(image, labels, 5, policy, rng())
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
    sampler = PairSampler(loaded, sets.classes, (8, 8, 8), rng(), sets=sets)
    pairs = sampler.blended_pairs(rng(1), 6, SpatialStrength(), 1.0)
    assert (pairs.labels != sets.classes).flatten(1).any(1).all()
    without = sampler.subset([1]).blended_pairs(rng(3), 4, SpatialStrength(), 1.0)
    assert set(without.labels.unique().tolist()) <= {1, 3, 4}, "nothing is certainly background"
    alone = sampler.subset([2])
    pairs = alone.blended_pairs(rng(2), 4, SpatialStrength(), 1.0)
    assert float((pairs.labels == sets.classes).float().mean()) > 0.3, "most slices were not drawn"


# evaluation


def test_scores_leave_out_ignored_voxels_and_classes() -> None:
    reference = label_array()
    prediction = reference.copy()
    prediction[:, :, 0] = 1
    spacing = (1.0, 1.0, 1.0)
    full = case_scores(prediction, reference, LABELS, spacing)
    assert full[0].dice < 1
    reference[:, :, 0] = IGNORE
    ours = case_scores(prediction, reference, LABELS, spacing, hidden=[2])
    assert (ours[0].dice, ours[0].hd95_mm, ours[0].surface_dice) == (1.0, 0.0, 1.0)
    assert ours[0].volume_error_ml == 0
    assert all(map(math.isnan, (ours[1].dice, ours[1].hd95_mm, ours[1].volume_error_ml)))


def test_surfaces_of_single_slices_are_their_contours() -> None:
    reference = np.full((20, 20, 9), IGNORE, np.int16)
    reference[:, :, 4] = 0
    reference[5:15, 5:15, 4] = 1
    prediction = np.zeros((20, 20, 9), np.int16)
    prediction[7:17, 5:15, :] = 1
    (score,) = case_scores(prediction, reference, [1], (1.0, 1.0, 5.0))
    assert score.dice == pytest.approx(0.8)
    assert score.hd95_mm == pytest.approx(2.0)
    assert 0 < score.surface_dice < 1
    flat = case_scores(prediction[:, :, 4:5], reference[:, :, 4:5], [1], (1.0, 1.0, 5.0))
    assert score.hd95_mm == flat[0].hd95_mm
    assert score.surface_dice == pytest.approx(flat[0].surface_dice)


def test_the_list_of_the_references_says_what_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases, _ = partly_annotated(tmp_path)
    listed = CaseSet(tuple(cases), LABELS).to_json(tmp_path)
    (tmp_path / "cases.json").write_text(json.dumps(listed), encoding="utf-8")
    predictions = tmp_path / "predictions"
    for case in cases:
        write_label(predictions / f"{case.name}.nii.gz", Volume(label_array()[None], np.eye(4)))
    given = ReferenceList.beside(tmp_path / "labels")
    evaluation = evaluate_folders(predictions, tmp_path / "labels", {}, given=given)
    scores = {case.case: [score.dice for score in case.scores] for case in evaluation.cases}
    assert scores["complete"] == [1.0, 1.0] == scores["sparse"]
    assert scores["one"][0] == 1.0 and math.isnan(scores["one"][1])
    folders = ["--predictions", str(predictions), "--references", str(tmp_path / "labels")]
    assert main(["evaluate", *folders]) == 0
    assert "Posterior  2" in capsys.readouterr().out


# trainings


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
    counted = sum(learner._count_voxels())
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
