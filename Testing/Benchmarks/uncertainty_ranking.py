"""Whether the Dice that a model expects of its own segmentations ranks the bad ones.

    python Testing/Benchmarks/uncertainty_ranking.py RUN [RUN ...] [--seed 0]

RUN is a training of core_accuracy.py with this seed; further ones are averaged with it. Predicts
the protocol's 48 test cases with `genseg predict --uncertainty`, evaluates them, and correlates the
expected Dice with the true one (Spearman), case by case. Writes results/uncertainty_ranking.json.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np
from measuring import ROOT, genseg, write_findings
from protocol import test_images
from scipy.stats import spearmanr


def read_means(table: Path, column: str) -> dict[str, float]:
    """Give the mean of a column for each case."""
    found: dict[str, list[float]] = {}
    with table.open(newline="") as stream:
        for row in csv.DictReader(stream):
            found.setdefault(row["case"], []).append(float(row[column]))
    return {case: float(np.mean(values)) for case, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    run, *others = args.runs
    options = [word for other in others for word in ("--with", other)]
    with tempfile.TemporaryDirectory() as folder:
        out, scores = Path(folder) / "out", Path(folder) / "scores.csv"
        images = test_images(args.data.resolve(), args.seed)
        genseg("predict", run, *images, "--out", out, "--uncertainty", *options)
        expected = read_means(out / "uncertainty.csv", "expected_dice")
        for extra in [out / "uncertainty.csv", *out.glob("*_uncertainty.nii.gz")]:
            extra.unlink()
        references = args.data / "labelsTr"
        genseg(
            "evaluate", "--predictions", out, "--references", references,
            "--model", run, "--out", scores,
        )  # fmt: skip
        true = read_means(scores, "dice")
    cases = sorted(true)
    rank = spearmanr([expected[case] for case in cases], [true[case] for case in cases])
    worst = sorted(cases, key=lambda case: true[case])[:5]
    least_sure = sorted(cases, key=lambda case: expected[case])[:10]
    found = {
        "models": len(args.runs),
        "cases": len(cases),
        "spearman": round(float(rank.statistic), 3),
        "p": float(rank.pvalue),
        "mean_expected_dice": round(float(np.mean([*expected.values()])), 4),
        "mean_dice": round(float(np.mean([*true.values()])), 4),
        "worst_five_among_ten_least_sure": len(set(worst) & set(least_sure)),
    }
    print(write_findings("uncertainty_ranking", found))


if __name__ == "__main__":
    main()
