"""Where Dice is lost: at the outline of the hippocampus, or where anterior and posterior part.

    python Testing/Benchmarks/class_border.py [--runs DIR] [--arms genseg ...] [--labelled 10]

The annotators parted each hippocampus at a coronal plane of the voxel grid, which no tissue shows.
For the runs of low_data.py this tells how far from the reference's the plane lies that parts each
prediction best, and the Dice of the outline, the two classes taken as one: for the network's own
predictions of the test cases, for the same after they are `cut` as `genseg predict` does, and for
those of the labelled cases that the model has learned from. For scale, `rule` puts the plane where
the labelled cases have it alone: at the median share of the length of the reference's outline.

Lengths are in slices, which are 1 mm thick here; a shift above 0 is towards the front. Runs that
are not there are left out. Writes results/class_border.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from low_data_parts.jobs import Job, jobs_of
from measuring import ROOT, write_findings
from numpy.typing import NDArray
from protocol import case_names, split_cases

from GenSegLib.images.cutting import recut
from GenSegLib.images.image_io import Volume, read_image, read_label
from GenSegLib.prediction.predictor import Predictor
from GenSegLib.training.validation import mean_dice

Label = NDArray[Any]

ANTERIOR, POSTERIOR = 1, 2
CLASSES = 3
FLAT = 0.01  # share of the voxels on the wrong side of the plane
NETWORK = "dynunet"


@dataclass(frozen=True)
class Parting:
    """The coronal plane that parts a hippocampus best.

    Attributes:
        place: slices behind the plane.
        misfit: share of the hippocampus on the wrong side of it.
        first, last: slices before those of the hippocampus, and up to their end.
    """

    place: int
    misfit: float
    first: int
    last: int

    @property
    def share(self) -> float:
        """The part of the length that lies behind the plane."""
        return (self.place - self.first) / (self.last - self.first)

    def at(self, share: float) -> int:
        """Return the plane at a share of the same length."""
        return round(self.first + share * (self.last - self.first))


def parting(label: Label) -> Parting:
    """Find the plane of a label (right, front, up)."""
    front, back = ((label == value).sum(axis=(0, 2)) for value in (ANTERIOR, POSTERIOR))
    wrong = _before(front) + back.sum() - _before(back)
    slices = np.flatnonzero(front + back)
    place = int(wrong.argmin())
    share = float(wrong[place] / (front + back).sum())
    return Parting(place, share, int(slices[0]), int(slices[-1]) + 1)


def _before(counts: Label) -> Label:
    return np.concatenate([[0], np.cumsum(counts)])


def outline_dice(predicted: Label, reference: Label) -> float:
    """Return the Dice of what is either class."""
    first, second = predicted > 0, reference > 0
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def compare(found: Sequence[Label], references: Sequence[Label]) -> dict[str, float]:
    """Return how predictions differ from their references."""
    pairs = list(zip(found, references))
    dices = [mean_dice(torch.from_numpy(a), torch.from_numpy(b), CLASSES) for a, b in pairs]
    shifts = [parting(first).place - parting(second).place for first, second in pairs]
    return {
        "dice": round(statistics.mean(dices), 4),
        "outline_dice": round(statistics.mean(outline_dice(*pair) for pair in pairs), 4),
        **shift_of(shifts),
    }


def shift_of(shifts: Sequence[int]) -> dict[str, float]:
    """Tell of the plane's shifts."""
    return {
        "shift": round(statistics.mean(shifts), 2),
        "shift_deviation": round(statistics.stdev(shifts), 2),
        "shift_size": round(statistics.mean(map(abs, shifts)), 2),
    }


def rule(labelled: Sequence[Label], references: Sequence[Label]) -> dict[str, float]:
    """Tell of a plane that is put at the median share of the labelled cases."""
    share = statistics.median(parting(label).share for label in labelled)
    partings = [parting(label) for label in references]
    return shift_of([each.at(share) - each.place for each in partings])


def of_job(job: Job, runs: Path, data: Path) -> dict[str, Any] | None:
    """Return what is found of a training, None where it has no model."""
    model = job.folder(runs) / "model"
    if not model.is_dir():
        return None
    split = split_cases(case_names(data), job.labelled, job.seed)
    predictor = Predictor(model)
    cuts = predictor.metadata.cuts
    predictor.metadata = replace(predictor.metadata, cuts=())
    own = [_predicted(predictor, data, name) for name in split.test]
    learned = [_predicted(predictor, data, name) for name in split.labelled]
    test, labelled = (_labels(data, names) for names in (split.test, split.labelled))
    return {
        "own": compare([label.array[0] for label in own], test),
        "cut": compare([recut(label.array[0], label.affine, cuts) for label in own], test),
        "labelled_cases": compare([label.array[0] for label in learned], labelled),
        "rule": rule(labelled, test),
    }


def _predicted(predictor: Predictor, data: Path, name: str) -> Volume:
    return predictor.predict(read_image(data / "imagesTr" / f"{name}.nii.gz")).label


def _labels(data: Path, names: Iterable[str]) -> list[Label]:
    return [read_label(data / "labelsTr" / f"{name}.nii.gz").array[0] for name in names]


def flat_share(data: Path) -> float:
    """Return the share of all cases that a plane parts, but for a hundredth of their voxels."""
    misfits = [parting(label).misfit for label in _labels(data, case_names(data))]
    return sum(misfit < FLAT for misfit in misfits) / len(misfits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/low_data")
    parser.add_argument("--arms", nargs="+", default=["genseg", "augmented", "separate"])
    parser.add_argument("--labelled", type=int, nargs="+", default=[10, 20, 40, 160])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    trainings = {}
    for job in jobs_of([NETWORK], args.arms, args.labelled, args.seeds):
        found = of_job(job, args.runs, args.data)
        if found is not None:
            trainings[str(job)] = found
            print(f"{job}: {json.dumps(found)}", flush=True)
    write_findings(
        "class_border",
        {"parted_by_a_plane": round(flat_share(args.data), 3), "trainings": trainings},
    )


if __name__ == "__main__":
    main()
