"""What trained models are worth on scans that look otherwise than the labeled ones, and whether
their probabilities are what they say.

    python Testing/Benchmarks/scanner_shift.py --runs DIR [--seeds 0 1 2] [--arms genseg ...]

The protocol's test cases are segmented as they are and as another scanner might have shown them:
noisier, smoother, in slices three times as thick, with a stronger coil field, with another
contrast. The changes are drawn from one seed, the same for every arm. A model is looked for where
low_data.py puts it; `--pattern {arm}-{seed}` finds those of core_accuracy.py. What is in the tables
is not done again. Per case and change, Dice and expected calibration error go to
results/scanner_shift.csv, the counts of the reliability diagram to results/calibration.csv, and
what is made of them to results/scanner_shift.json (`--report` makes that alone).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from calibration import Histogram, case_histogram
from low_data_parts.jobs import KEY, jobs_of
from low_data_parts.shift_summary import shift_summary
from low_data_parts.shifts import ShiftedCase, shifted_cases
from low_data_parts.tables import Row, has_job, put_rows, read_table
from measuring import RESULTS, ROOT, write_findings

from GenSegLib.prediction.predictor import Predictor
from GenSegLib.training.validation import mean_dice

SCORES = (*KEY, "shift", "case", "dice", "ece")
BINS = (*KEY, "shift", "bin", "voxels", "probability", "right")


def score(predictor: Predictor, cases: list[ShiftedCase]) -> tuple[list[Row], list[Row]]:
    """Return the rows of both tables for one model."""
    rows: list[Row] = []
    pooled: dict[str, Histogram] = {}
    for case in cases:
        prediction = predictor.predict(case.image, probabilities=True)
        assert prediction.probabilities is not None
        shares, reference = prediction.probabilities.array, case.reference.array[0]
        values = predictor.metadata.label_values
        label = torch.from_numpy(prediction.label.array[0])
        dice = mean_dice(label, torch.from_numpy(reference), len(values))
        found = case_histogram(shares, values, reference, case.reference.spacing)
        pooled[case.shift] = pooled[case.shift] + found if case.shift in pooled else found
        scores = {"dice": f"{dice:.5f}", "ece": f"{found.error:.5f}"}
        rows.append({"shift": case.shift, "case": case.name, **scores})
    return rows, [row for shift, found in pooled.items() for row in bin_rows(shift, found)]


def bin_rows(shift: str, found: Histogram) -> Iterator[Row]:
    """Give a row for each bin of a reliability diagram."""
    for place, counts in enumerate(zip(found.voxels, found.probability, found.right)):
        voxels, probability, right = counts
        yield {
            "shift": shift,
            "bin": str(place),
            "voxels": str(int(voxels)),
            "probability": f"{probability:.3f}",
            "right": str(int(right)),
        }


def run(args: argparse.Namespace) -> None:
    """Score the models that are not in the tables yet."""
    jobs = jobs_of([args.network], args.arms, [args.labeled], args.seeds)
    for seed in args.seeds:
        todo = [job for job in jobs if job.seed == seed and not has_job(args.table, job)]
        cases = list(shifted_cases(args.data, seed)) if todo else []
        for job in todo:
            folder = job.folder(args.runs, args.pattern) / "model"
            if not folder.is_dir():
                print(f"{job}: no model in {folder}", flush=True)
                continue
            rows, bins = score(Predictor(folder, args.device), cases)
            put_rows(args.table.with_name("calibration.csv"), BINS, job, bins)
            put_rows(args.table, SCORES, job, rows)
            print(f"{job}: done", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/low_data")
    parser.add_argument("--pattern", default="{network}/{arm}-{labeled}-{seed}")
    parser.add_argument("--network", default="dynunet")
    parser.add_argument("--labeled", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", default=["augmented", "separate", "genseg"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--table", type=Path, default=RESULTS / "scanner_shift.csv")
    parser.add_argument("--report", action="store_true", help="only read the tables")
    args = parser.parse_args()
    if not args.report:
        run(args)
    found = shift_summary(
        read_table(args.table), read_table(args.table.with_name("calibration.csv"))
    )
    print(write_findings("scanner_shift", found))


if __name__ == "__main__":
    main()
