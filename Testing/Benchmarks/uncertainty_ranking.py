"""Whether the Dice that a model expects of its own segmentations ranks the bad ones.

    python Testing/Benchmarks/uncertainty_ranking.py RUNS [--seeds 0 1 2]

RUNS is the folder of core_accuracy.py, with its trainings genseg-0, genseg-1, ... Predicts the
protocol's 48 test cases of each seed with `genseg predict --uncertainty`, evaluates them, and
correlates the expected Dice with the true one (Spearman), case by case. Writes
results/uncertainty_ranking.json and .csv.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np
from measuring import RESULTS, ROOT, genseg, write_findings
from protocol import test_images
from scipy.stats import spearmanr

COLUMNS = ("seed", "case", "expected_dice", "dice")
WORST, LEAST_SURE = 5, 10


def read_means(table: Path, column: str) -> dict[str, float]:
    """Give the mean of a column for each case."""
    found: dict[str, list[float]] = {}
    with table.open(newline="") as stream:
        for row in csv.DictReader(stream):
            found.setdefault(row["case"], []).append(float(row[column]))
    return {case: float(np.mean(values)) for case, values in found.items()}


def expected_and_true(run: Path, data: Path, seed: int) -> dict[str, tuple[float, float]]:
    """Predict a seed's test cases; give the expected and the true Dice of each."""
    with tempfile.TemporaryDirectory() as folder:
        out, scores = Path(folder) / "out", Path(folder) / "scores.csv"
        genseg("predict", run, *test_images(data, seed), "--out", out, "--uncertainty")
        expected = read_means(out / "uncertainty.csv", "expected_dice")
        for extra in [out / "uncertainty.csv", *out.glob("*_uncertainty.nii.gz")]:
            extra.unlink()
        genseg(
            "evaluate", "--predictions", out, "--references", data / "labelsTr",
            "--model", run, "--out", scores,
        )  # fmt: skip
        true = read_means(scores, "dice")
    return {case: (expected[case], true[case]) for case in sorted(true)}


def summary(cases: dict[str, tuple[float, float]]) -> dict[str, float]:
    """Say how well the expected Dice ranks the cases, and how far it is from the true one."""
    expected, true = np.array([*cases.values()]).T
    rank = spearmanr(expected, true)
    worst, least_sure = np.argsort(true)[:WORST], np.argsort(expected)[:LEAST_SURE]
    return {
        "cases": len(cases),
        "spearman": round(float(rank.statistic), 3),
        "p": float(f"{rank.pvalue:.3g}"),
        "mean_expected_dice": round(float(expected.mean()), 4),
        "mean_dice": round(float(true.mean()), 4),
        "worst_five_among_ten_least_sure": len({*worst} & {*least_sure}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", metavar="RUNS", type=Path)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    runs, data = args.runs.resolve(), args.data.resolve()
    seeds = {seed: expected_and_true(runs / f"genseg-{seed}", data, seed) for seed in args.seeds}
    rows = [
        dict(zip(COLUMNS, (seed, case, *(f"{dice:.4f}" for dice in both))))
        for seed, cases in seeds.items()
        for case, both in cases.items()
    ]
    with (RESULTS / "uncertainty_ranking.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    found = {seed: summary(cases) for seed, cases in seeds.items()}
    mean = round(float(np.mean([each["spearman"] for each in found.values()])), 3)
    print(write_findings("uncertainty_ranking", {"mean_spearman": mean, "seeds": found}))


if __name__ == "__main__":
    main()
