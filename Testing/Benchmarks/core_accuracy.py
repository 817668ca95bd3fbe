"""The core's accuracy on the real hippocampus MRI under the low-data protocol of DESIGN.md.

    python Testing/Benchmarks/core_accuracy.py [--seeds 0 1 2] [--arms genseg augmented ...]

Each arm is one `genseg train` with the preset's standard effort and ten labeled cases, as a user
calls it; then `genseg predict` and `genseg evaluate` on the protocol's 48 test cases. What is done
is not done again. Per-case scores go to results/core_accuracy.csv, times, memory, means and the
paired tests to results/core_accuracy.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from pathlib import Path

import numpy as np
from comparing import mean_by_case, mean_by_seed, paired_tests
from measuring import RESULTS, ROOT, genseg, write_findings
from protocol import test_images
from resumable import finish_training

ARMS = {
    "genseg": [],
    "augmented": ["--no-generator"],
    "separate": ["--hypergradient", "none"],
    # as many samples a step as genseg sees: what is left of its lead is not the larger batch
    "augmented-4": ["--no-generator", "--set", "batch_size=4"],
}
LABELED = 10
COLUMNS = ("network", "arm", "labeled", "seed", "case", "label", "dice", "hd95_mm", "surface_dice")


def run_arm(data: Path, run: Path, arm: str, seed: int) -> None:
    """Do what is not done yet of an arm with one seed: train, predict and evaluate."""
    if (run / "cost.json").is_file():
        return
    preset = ("--preset", "hippocampus-mri", "--labeled", LABELED, "--seed", seed)
    command = ["train", data, *preset, "--out", run, *ARMS[arm]]
    seconds, memory = finish_training(run, command)
    predictions = run.with_name(run.name + "-predictions")
    shutil.rmtree(predictions, ignore_errors=True)
    genseg("predict", run, *test_images(data, seed), "--out", predictions)
    scores = ("--out", run / "test-scores.csv")
    genseg(
        "evaluate", "--predictions", predictions, "--references", data / "labelsTr",
        "--model", run, *scores,
    )  # fmt: skip
    cost = {"train_s": round(seconds, 1), "peak_gb": round(memory, 2)}
    (run / "cost.json").write_text(json.dumps(cost))
    print(f"{arm} seed {seed}: {cost}", flush=True)


def read_rows(run: Path, arm: str, seed: int) -> list[dict[str, object]]:
    with (run / "test-scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    common = {"network": "dynunet", "arm": arm, "labeled": LABELED, "seed": seed}
    return [common | {name: row[name] for name in COLUMNS[4:]} for row in rows]


def of_arm(rows: list[dict[str, object]], arm: str) -> list[dict[str, object]]:
    return [row for row in rows if row["arm"] == arm]


def summary(rows: list[dict[str, object]], costs: dict[str, list[dict[str, float]]]) -> dict:
    arms = {}
    for arm in costs:
        means = {
            name: mean_by_seed(mean_by_case(of_arm(rows, arm), name))
            for name in ("dice", "hd95_mm", "surface_dice")
        }
        arms[arm] = {
            "seeds": [*means["dice"]],
            "dice_by_seed": [round(value, 4) for value in means["dice"].values()],
            "dice": round(float(np.mean([*means["dice"].values()])), 4),
            "hd95_mm": round(float(np.mean([*means["hd95_mm"].values()])), 3),
            "surface_dice": round(float(np.mean([*means["surface_dice"].values()])), 4),
            "train_s": [cost["train_s"] for cost in costs[arm]],
            "peak_gb": max(cost["peak_gb"] for cost in costs[arm]),
        }
    others = [arm for arm in costs if arm != "genseg"]
    return {"arms": arms, "genseg_against": paired_tests(rows, "genseg", others, "dice")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/core_accuracy")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    args = parser.parse_args()
    rows: list[dict[str, object]] = []
    costs: dict[str, list[dict[str, float]]] = {}
    for seed in args.seeds:
        for arm in args.arms:
            run = args.runs / f"{arm}-{seed}"
            run_arm(args.data.resolve(), run, arm, seed)
            rows += read_rows(run, arm, seed)
            costs.setdefault(arm, []).append(json.loads((run / "cost.json").read_text()))
            write_results(rows, costs)


def write_results(rows: list[dict[str, object]], costs: dict[str, list[dict[str, float]]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "core_accuracy.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    write_findings("core_accuracy", summary(rows, costs))


if __name__ == "__main__":
    main()
