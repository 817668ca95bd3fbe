"""The items to review in a run, and the user's feedback on them."""

from __future__ import annotations

from pathlib import Path

import pytest
from GenSegSlicerLib.ReviewFeedback import ReviewFeedback

from GenSegLib.errors import GenSegError
from GenSegLib.feedback import PAIRS, Feedback, write_preview_pairs


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with previews of two steps."""
    for step in (4, 12):
        folder = tmp_path / "previews" / f"{step:06d}"
        folder.mkdir(parents=True)
        names = [f"{kind}_{k}" for kind in ("real", "generated") for k in range(2)]
        for name in [*names, "validation_Müller 1"]:
            for part in ("image", "label"):
                (folder / f"{name}_{part}.nii.gz").touch()
        (folder / "validation_Müller 1_prediction.nii.gz").touch()
        made_of = {"generated_0": (("a", "b"), "blending"), "generated_1": (("b", "c"), "noise")}
        write_preview_pairs(folder, made_of)
    (tmp_path / "previews" / ".000016.tmp").mkdir()
    return tmp_path


def test_the_latest_step_comes_first_and_all_files_exist(run: Path) -> None:
    items = ReviewFeedback(run).items()
    assert [(item.step, item.kind) for item in items] == [
        (step, kind) for step in (12, 4) for kind in ("generated", "generated", "validation")
    ]
    for item in items:
        files = (item.image, item.label, item.otherImage, item.otherLabel)
        assert all(path.is_file() for path in files)
    assert len({item.title for item in items}) == len(items)


def test_generated_pairs_have_a_real_pair_and_predictions_their_reference(
    run: Path,
) -> None:
    _, generated, validation, *_ = ReviewFeedback(run).items()
    assert generated.image.name == "generated_1_image.nii.gz"
    assert generated.otherLabel.name == "real_1_label.nii.gz"
    assert generated.pair.cases == ("b", "c")
    assert validation.label.name == "validation_Müller 1_prediction.nii.gz"
    assert validation.otherLabel.name == "validation_Müller 1_label.nii.gz"
    assert validation.image == validation.otherImage
    assert validation.pair is None


def test_feedback_is_saved_immediately(run: Path) -> None:
    feedback = ReviewFeedback(run)
    item = feedback.items()[0]
    feedback.setRejected(item, True)
    feedback.rejectKind("noise")
    feedback.rejectKind("noise")
    assert Feedback.load(run).pairs == {frozenset("ab")}
    assert ReviewFeedback(run).isRejected(item)
    assert feedback.strength("noise") == 0.25
    feedback.setRejected(item, False)
    feedback.restoreKind("noise")
    assert Feedback.load(run) == Feedback()
    assert not feedback.isRejected(item)


def test_a_run_without_previews_has_no_items(tmp_path: Path) -> None:
    assert ReviewFeedback(tmp_path).items() == []


def test_a_corrupted_list_of_pairs_raises(run: Path) -> None:
    (run / "previews" / "000012" / PAIRS).write_text("{}")
    with pytest.raises(GenSegError, match="is corrupted"):
        ReviewFeedback(run).items()
