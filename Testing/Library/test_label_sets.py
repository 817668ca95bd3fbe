"""Labels of which only a set of classes is known, and the losses and scores they give."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from GenSegLib.case_annotation import Annotation, ClassState
from GenSegLib.data.label_sets import LabelSets
from GenSegLib.data.training_case import InMemoryCase
from GenSegLib.label_maps import IGNORE
from GenSegLib.training.losses import segmentation_loss
from GenSegLib.training.validation import class_dice_scores
from GenSegLib.training.volumes import case_volumes, volume_ranges

NAMES = {5: "Liver", 7: "Tumor", 9: "Spleen"}
NESTED = {"Liver": ("Tumor",)}
EVERYTHING = (0, 1, 2, 3)


def without(*names: str) -> Annotation:
    return Annotation(dict.fromkeys(names, ClassState.NOT_ANNOTATED))


def test_without_partial_annotation_the_only_set_is_that_of_ignored_voxels() -> None:
    sets = LabelSets.of([Annotation()], NAMES, {})
    assert (sets.classes, sets.values, sets.sets) == (4, 5, (EVERYTHING,))
    absent = Annotation({"Tumor": ClassState.ABSENT})
    assert LabelSets.of([absent], NAMES, {}) == sets, "an absent class is certainly not there"


def test_a_class_that_nobody_annotated_may_be_in_the_background() -> None:
    sets = LabelSets.of([without("spleen "), without("Tumor", "Spleen")], NAMES, {})
    assert sets.sets == (EVERYTHING, (0, 2, 3), (0, 3))
    label = np.array([0, 5, 7, 9, IGNORE])
    assert sets.encode(label, Annotation()).tolist() == [0, 1, 2, 3, 4]
    assert sets.encode(label, without("Spleen")).tolist() == [6, 1, 2, 6, 4], "drafts are unused"
    assert sets.decode(torch.tensor([6, 1, 2, 4])).tolist() == [0, 5, 7, 10]
    assert sets.decode(torch.tensor([6, 1]), only_certain=True).tolist() == [10, 5]


def test_a_class_within_another_may_be_there_alone() -> None:
    sets = LabelSets.of([without("Tumor"), without("Liver", "Tumor")], NAMES, NESTED)
    assert sets.possible(without("Tumor")) == [(0,), (1, 2), (1, 2), (3,)]
    assert sets.possible(without("Liver")) == [(0, 1), (0, 1), (2,), (3,)]
    assert sets.regions == ((0,), (1, 2), (2,), (3,))
    assert sets.region_values(1)[0] == [1, 2, sets.classes + sets.sets.index((1, 2))]


def two_class_sets() -> LabelSets:
    """Classes 0 and 1 (A), 2 (B); value 3 is ignored, 4 is background or B."""
    return LabelSets.of([without("B")], {1: "A", 2: "B"}, {})


def test_the_loss_is_that_computed_by_hand() -> None:
    sets = two_class_sets()
    probabilities = torch.tensor(
        [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.5, 0.1, 0.4], [0.3, 0.3, 0.4]]
    )
    logits = probabilities.log().T.reshape(1, 3, 1, 4)
    labels = torch.tensor([0, 1, 4, 3]).reshape(1, 1, 1, 4)
    entropy = -(math.log(0.7) + math.log(0.7) + math.log(0.5 + 0.4)) / 3
    smooth = 1e-3
    dice_a = (2 * 0.7 + smooth) / (0.2 + 0.7 + 0.1 + 1 + smooth)
    dice_b = smooth / (0.1 + 0.1 + smooth)  # what is background or B is neither right nor wrong
    expected = entropy + (1 - dice_a + 1 - dice_b) / 2
    assert float(segmentation_loss(logits, labels, sets=sets)) == pytest.approx(expected, rel=1e-5)
    weights = torch.tensor([1.0, 2.0, 5.0])
    weighted = -(math.log(0.7) + 2 * math.log(0.7) + math.log(0.9)) / 4
    found = float(segmentation_loss(logits, labels, weights, sets))
    assert found == pytest.approx(weighted + expected - entropy, rel=1e-5)


def test_known_labels_have_the_usual_loss() -> None:
    logits, labels = torch.randn(2, 3, 6, 6), torch.randint(3, (2, 1, 6, 6))
    for weights in (None, torch.tensor([0.5, 1.0, 2.0])):
        torch.testing.assert_close(
            segmentation_loss(logits, labels, weights, two_class_sets()),
            segmentation_loss(logits, labels, weights),
        )


def test_ignored_voxels_have_no_gradient_at_any_level() -> None:
    torch.manual_seed(0)
    labels = torch.randint(5, (2, 1, 8, 8))
    labels[..., :4] = 3
    levels = tuple(torch.randn(2, 3, 8 // n, 8 // n, requires_grad=True) for n in (1, 2, 4))
    segmentation_loss(levels, labels, torch.tensor([1.0, 3.0, 2.0]), two_class_sets()).backward()
    for n, level in zip((1, 2, 4), levels):
        assert level.grad is not None
        assert not level.grad[..., : 4 // n].any()
        assert level.grad[..., 4 // n :].any()


def test_a_batch_without_annotated_voxels_has_no_loss_and_no_gradient() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((1, 1, 4, 4), 3), sets=two_class_sets())
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None and not logits.grad.any()


def test_a_class_that_nobody_annotated_is_free_where_background_is_labeled() -> None:
    logits = torch.zeros(1, 3, 4, 4, requires_grad=True)
    labels = torch.full((1, 1, 4, 4), 4)
    segmentation_loss(logits, labels, sets=two_class_sets()).backward()
    assert logits.grad is not None
    background, a, b = logits.grad[0].unbind()
    assert (a > 0).all(), "A was annotated and is not there"
    torch.testing.assert_close(background, b)


def test_merging_unknown_classes_with_the_background_is_the_marginal_loss_of_the_field() -> None:
    logits = torch.randn(1, 3, 5, 5)
    labels = torch.where(torch.rand(1, 1, 5, 5) < 0.5, 1, 4)
    merged = torch.stack([logits[:, [0, 2]].logsumexp(1), logits[:, 1]], 1)
    entropy = F.cross_entropy(merged, (labels == 1)[:, 0].long())
    p = logits.softmax(1)
    dice_b = 1e-3 / (float(p[:, 2][labels[:, 0] == 1].sum()) + 1e-3)
    total = float(p[:, 1].sum() + (labels == 1).sum())
    dice_a = (2 * float((p[:, 1] * (labels[:, 0] == 1)).sum()) + 1e-3) / (total + 1e-3)
    expected = float(entropy) + (2 - dice_a - dice_b) / 2
    found = segmentation_loss(logits, labels, sets=two_class_sets())
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_validation_leaves_out_what_nobody_annotated() -> None:
    sets = two_class_sets()
    predicted = np.array([1, 1, 0, 2, 2, 1], np.uint8)
    assert class_dice_scores(predicted, np.array([1, 1, 0, 3, 3, 3]), sets) == [
        1.0,
        pytest.approx(math.nan, nan_ok=True),
    ]
    ours = class_dice_scores(predicted, np.array([1, 0, 0, 2, 3, 3]), sets)
    assert ours == pytest.approx([2 / 3, 1.0])
    scores = class_dice_scores(predicted, np.array([1, 1, 4, 4, 4, 4]), sets)
    assert scores[0] == pytest.approx(2 * 2 / 5)
    assert math.isnan(scores[1]), "predictions of B are neither right nor wrong"


def test_validation_scores_a_class_with_those_within_it() -> None:
    sets = LabelSets.of([without("Tumor")], NAMES, NESTED)
    predicted = np.array([1, 2, 2, 0])
    assert class_dice_scores(predicted, np.array([1, 1, 2, 0]), sets)[:2] == pytest.approx(
        [1.0, 2 / 3]
    )
    liver, tumor, _ = class_dice_scores(
        predicted, sets.encode(np.array([5, 5, 5, 0]), without("Tumor")), sets
    )
    assert liver == 1.0 and math.isnan(tumor)


def case(label: torch.Tensor, name: str = "a") -> InMemoryCase:
    return InMemoryCase(name, torch.zeros(1, *label.shape), label, (10.0,) * 3, classes=3)


def test_volumes_are_known_where_everything_was_annotated() -> None:
    sets = two_class_sets()
    labels = {
        "complete": torch.tensor([1, 1, 2, 0]),
        "ignored": torch.tensor([1, 2, 3, 0]),
        "without B": torch.tensor([1, 1, 1, 4]),
    }
    volumes = case_volumes(
        [case(x.repeat(2).reshape(2, 2, 2), name) for name, x in labels.items()], sets
    )
    assert volumes["complete"] == {1: 4.0, 2: 2.0}
    assert all(map(math.isnan, volumes["ignored"].values()))
    assert volumes["without B"][1] == 6.0 and math.isnan(volumes["without B"][2])
    assert volume_ranges(volumes) == {1: (4.0, 6.0), 2: (2.0, 2.0)}
