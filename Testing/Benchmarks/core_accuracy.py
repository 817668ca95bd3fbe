"""Accuracy on real hippocampus MRI with ten labeled cases: the regression benchmark.

    python Testing/Benchmarks/core_accuracy.py [--seeds 0 1 2] [--arms genseg augmented separate]

Every arm is one `genseg train` with the preset's standard effort, as a user calls it, followed by
`genseg predict` and `genseg evaluate` on the 48 test cases. Finished jobs are skipped, interrupted
ones resume (remove results/core_accuracy.csv to start over). Prints the table of results_table.py.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

from cohorts_data import COHORTS, Split, cohort_labels, split_cohort, write_cases
from measuring import RESULTS, ROOT, commit, finish_training, genseg
from results_table import ResultsTable, markdown

COHORT = COHORTS["hippocampus"]
LABELED = 10
ARMS = {
    "genseg": [],
    "augmented": ["--no-generator"],
    "separate": ["--hypergradient", "none"],
    # as many samples per step as genseg sees, to separate its gain from that of a larger batch
    "augmented-4": ["--no-generator", "--set", "batch_size=4"],
}


def run_job(run: Path, arm: str, seed: int, split: Split) -> list[dict[str, object]]:
    """Train, predict and evaluate; return the rows of the results table."""
    cases = run.with_name(run.name + "-cases.json")
    write_cases(cases, COHORT, split, cohort_labels(COHORT))
    command = ["train", cases, "--preset", "hippocampus-mri", "--seed", seed, "--out", run]
    seconds, memory = finish_training(run, [*command, *ARMS[arm]])
    predictions, scores = run.with_name(run.name + "-predictions"), run / "test-scores.csv"
    shutil.rmtree(predictions, ignore_errors=True)
    images = [case.images[0] for case in split.test]
    genseg("predict", run, *images, "--out", predictions)
    references = images[0].parents[1] / "labelsTr"
    genseg(
        *("evaluate", "--predictions", predictions, "--references", references),
        *("--model", run, "--out", scores),
    )
    common = {
        **{"train": COHORT.name, "test": COHORT.name, "arm": arm, "encoder": "dynunet"},
        **{"labeled": LABELED, "seed": seed, "train_seconds": f"{seconds:.1f}"},
        **{"peak_gb": f"{memory:.2f}", "commit": commit()},
    }
    names = ("case", "label", "dice", "hd95_mm", "surface_dice")
    with scores.open(newline="") as stream:
        return [common | {name: row[name] for name in names} for row in csv.DictReader(stream)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/core_accuracy")
    parser.add_argument("--results", type=Path, default=RESULTS / "core_accuracy.csv")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["genseg", "augmented"])
    args = parser.parse_args()
    table = ResultsTable(args.results)
    for seed in args.seeds:
        split = split_cohort(COHORT, LABELED, seed)
        for arm in args.arms:
            if not table.has(arm=arm, seed=seed):
                table.append(run_job(args.runs.resolve() / f"{arm}-{seed}", arm, seed, split))
    print(markdown(table.rows(), against="augmented"))


if __name__ == "__main__":
    main()
