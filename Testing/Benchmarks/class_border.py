"""Where Dice is lost: at the outline of the hippocampus, or where anterior and posterior part.

    python Testing/Benchmarks/class_border.py [--runs DIR] [--arms genseg ...] [--labeled 10]

The annotators parted each hippocampus at a coronal plane of the voxel grid, which no tissue shows.
This tells how far from the reference's the plane lies that parts each prediction best, and the Dice
of the outline, the two classes taken as one: for the network's own predictions of the test cases,
for the same after they are `cut` as `genseg predict` does, and for those of the labeled cases that
the model has learned from. For scale, `rule` puts the plane where the labeled cases have it alone:
at the median share of the length of the reference's outline.

Lengths are in slices, which are 1 mm thick here; a shift above 0 is towards the front. Runs are
looked for where low_data.py puts them (`--pattern {arm}-{seed}`: those of core_accuracy.py), and
left out where they are not there. Writes results/class_border.json, and .csv with each test case.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from comparing import paired_tests
from low_data_parts.jobs import Job, jobs_of
from low_data_parts.tables import Row
from measuring import RESULTS, ROOT, write_findings
from numpy.typing import NDArray
from protocol import case_names, split_cases

from GenSegLib.images import cutting
from GenSegLib.images.cutting import Parting, recut
from GenSegLib.images.image_io import Volume, read_image, read_label
from GenSegLib.prediction.predictor import Predictor
from GenSegLib.training.validation import mean_dice

Label = NDArray[Any]
Scores = dict[str, float]

ANTERIOR, POSTERIOR = 1, 2
CLASSES = 3
FLAT = 0.01  # share of the voxels on the wrong side of the plane
NETWORK = "dynunet"


def parting(label: Label) -> Parting:
    """Find the coronal plane of a label (right, front, up)."""
    found = cutting.parting(np.moveaxis(label, 1, 0), (POSTERIOR, ANTERIOR))
    assert found is not None, "anterior or posterior is missing"
    return found


def outline_dice(predicted: Label, reference: Label) -> float:
    """Return the Dice of what is either class."""
    first, second = predicted > 0, reference > 0
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def compare(found: Sequence[Label], references: Sequence[Label]) -> list[Scores]:
    """Return how each prediction differs from its reference."""
    return [
        {
            "dice": mean_dice(torch.from_numpy(one), torch.from_numpy(other), CLASSES),
            "outline_dice": outline_dice(one, other),
            "shift": parting(one).place - parting(other).place,
        }
        for one, other in zip(found, references)
    ]


def summary(scores: Sequence[Scores]) -> Scores:
    """Return the means over cases, and the spread of the plane's shifts."""
    means = {
        name: round(statistics.mean(each[name] for each in scores), 4)
        for name in ("dice", "outline_dice")
    }
    return means | shift_of([int(each["shift"]) for each in scores])


def shift_of(shifts: Sequence[int]) -> dict[str, float]:
    """Tell of the plane's shifts."""
    return {
        "shift": round(statistics.mean(shifts), 2),
        "shift_deviation": round(statistics.stdev(shifts), 2),
        "shift_size": round(statistics.mean(map(abs, shifts)), 2),
    }


def rule(labeled: Sequence[Label], references: Sequence[Label]) -> dict[str, float]:
    """Tell of a plane that is put at the median share of the labeled cases."""
    share = statistics.median(parting(label).share for label in labeled)
    partings = [parting(label) for label in references]
    return shift_of([round(each.at(share)) - each.place for each in partings])


def of_job(job: Job, model: Path, data: Path) -> tuple[dict[str, Scores], list[Row]]:
    """Return what is found of a training by its model, and a row for each test case."""
    split = split_cases(case_names(data), job.labeled, job.seed)
    predictor = Predictor(model)
    cuts = predictor.metadata.cuts
    predictor.metadata = replace(predictor.metadata, cuts=())
    own = [_predicted(predictor, data, name) for name in split.test]
    learned = [_predicted(predictor, data, name) for name in split.labeled]
    test, labeled = (_labels(data, names) for names in (split.test, split.labeled))
    as_is = compare([label.array[0] for label in own], test)
    cut = compare([recut(label.array[0], label.affine, cuts) for label in own], test)
    found = {
        "own": summary(as_is),
        "cut": summary(cut),
        "labeled_cases": summary(compare([label.array[0] for label in learned], labeled)),
        "rule": rule(labeled, test),
    }
    rows = [
        {
            **job.columns(),
            "case": name,
            "own_dice": f"{before['dice']:.5f}",
            "cut_dice": f"{after['dice']:.5f}",
            "outline_dice": f"{before['outline_dice']:.5f}",
            "own_shift": str(before["shift"]),
            "cut_shift": str(after["shift"]),
        }
        for name, before, after in zip(split.test, as_is, cut)
    ]
    return found, rows


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
    parser.add_argument("--pattern", default="{network}/{arm}-{labeled}-{seed}")
    parser.add_argument("--arms", nargs="+", default=["genseg", "augmented", "separate"])
    parser.add_argument("--labeled", type=int, nargs="+", default=[10])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    trainings, rows = {}, []
    for job in jobs_of([NETWORK], args.arms, args.labeled, args.seeds):
        model = job.folder(args.runs, args.pattern) / "model"
        if model.is_dir():
            trainings[str(job)], of_cases = of_job(job, model, args.data)
            rows += of_cases
            print(f"{job}: {json.dumps(trainings[str(job)])}", flush=True)
    if not rows:
        raise SystemExit(f"there is no model of these arms and seeds in {args.runs}")
    with (RESULTS / "class_border.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    others = sorted({row["arm"] for row in rows} - {"genseg"})
    found = {
        "parted_by_a_plane": round(flat_share(args.data), 3),
        "genseg_outline_against": paired_tests(rows, "genseg", others, "outline_dice"),
        "trainings": trainings,
    }
    write_findings("class_border", found)


if __name__ == "__main__":
    main()
