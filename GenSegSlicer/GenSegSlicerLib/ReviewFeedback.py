"""Generated pairs and predictions of a run, and the user's feedback on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from GenSegLib.feedback import Feedback, PreviewPair, read_preview_pairs

_PREDICTION = "_prediction.nii.gz"


@dataclass(frozen=True)
class ReviewItem:
    """A generated pair beside a real one, or a prediction beside its reference.

    Attributes:
        kind: "generated" or "validation".
        step: training step at which it was created.
        title: text for the list.
        image, label: generated pair, or image and prediction.
        otherImage, otherLabel: real pair, or image and reference.
        pair: source cases and transformation of a generated pair.
    """

    kind: str
    step: int
    title: str
    image: Path
    label: Path
    otherImage: Path
    otherLabel: Path
    pair: PreviewPair | None = None


class ReviewFeedback:
    """The previews of a run, and the feedback that its training reads after each round.

    Feedback is written immediately.

    Args:
        runFolder: folder of the run.
    """

    def __init__(self, runFolder: Path) -> None:
        self._run = Path(runFolder)

    def items(self) -> list[ReviewItem]:
        """Return the previews, most recent step first.

        Raises:
            GenSegError: the metadata of a preview is corrupted.
        """
        folders = [path for path in (self._run / "previews").glob("*") if path.name.isdigit()]
        folders.sort(key=lambda path: int(path.name), reverse=True)
        return [item for folder in folders for item in (*_generated(folder), *_validated(folder))]

    def isRejected(self, item: ReviewItem) -> bool:
        """Return whether a generated pair is rejected."""
        return item.pair is not None and self._load().rejects(item.pair)

    def setRejected(self, item: ReviewItem, rejected: bool) -> None:
        """Reject a generated pair and all others between its two cases, or accept it again.

        Raises:
            GenSegError: the feedback cannot be written.
        """
        feedback = self._load()
        (feedback.reject if rejected else feedback.withdraw)(item.pair)
        feedback.save(self._run)

    def rejectKind(self, kind: str) -> None:
        """Halve the strength of a kind of transformation; raises as `setRejected`."""
        feedback = self._load()
        feedback.reject_kind(kind)
        feedback.save(self._run)

    def restoreKind(self, kind: str) -> None:
        """Restore the strength of a kind of transformation; raises as `setRejected`."""
        feedback = self._load()
        feedback.withdraw_kind(kind)
        feedback.save(self._run)

    def strength(self, kind: str) -> float:
        """Return the strength of a kind of transformation, 1 if it was never rejected."""
        return self._load().strength(kind)

    def _load(self) -> Feedback:
        return Feedback.load(self._run)


def _generated(folder: Path) -> list[ReviewItem]:
    reals = sorted(folder.glob("real_*_image.nii.gz"))
    items = []
    for index, pair in enumerate(read_preview_pairs(folder) if reals else ()):
        real = reals[index % len(reals)]
        title = _("Step {step}: generated pair {number}").format(
            step=int(folder.name), number=index + 1
        )
        others = real, _labelOf(real)
        items.append(
            ReviewItem("generated", int(folder.name), title, pair.image, pair.label, *others, pair)
        )
    return items


def _validated(folder: Path) -> list[ReviewItem]:
    items = []
    for prediction in sorted(folder.glob(f"validation_*{_PREDICTION}")):
        stem = prediction.name[: -len(_PREDICTION)]
        image = folder / f"{stem}_image.nii.gz"
        title = _("Step {step}: validation case {case}").format(
            step=int(folder.name), case=stem[len("validation_") :]
        )
        others = image, _labelOf(image)
        items.append(ReviewItem("validation", int(folder.name), title, image, prediction, *others))
    return items


def _labelOf(image: Path) -> Path:
    return image.with_name(image.name.replace("_image.nii.gz", "_label.nii.gz"))
