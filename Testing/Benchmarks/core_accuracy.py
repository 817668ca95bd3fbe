"""The core's accuracy on the real hippocampus MRI under the low-data protocol of DESIGN.md.

    python Testing/Benchmarks/core_accuracy.py [--seeds 0 1 2] [--arms genseg augmented ...]

Each arm is one `genseg train` with the preset's standard effort and ten labelled cases, as a user
calls it; then `genseg predict` and `genseg evaluate` on the protocol's 48 test cases. What is done
is not done again. Per-case scores go to results/core_accuracy.csv, times, memory, means and the
paired tests to results/core_accuracy.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
from scipy.stats import wilcoxon

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"
ARMS = {
    "genseg": [],
    "augmented": ["--no-generator"],
    "separate": ["--hypergradient", "none"],
    # as many samples a step as genseg sees: what is left of its lead is not the larger batch
    "augmented-4": ["--no-generator", "--set", "batch_size=4"],
}
LABELLED, TEST_CASES = 10, 48
COLUMNS = ("network", "arm", "labelled", "seed", "case", "label", "dice", "hd95_mm", "surface_dice")


def genseg(*arguments: object) -> None:
    command = [sys.executable, "-m", "GenSegLib", *map(str, arguments)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def timed_training(command: list[object]) -> tuple[float, float]:
    """Train; return the seconds it took and its peak memory in GB."""
    start = time.monotonic()
    arguments = [sys.executable, "-m", "GenSegLib", *map(str, command)]
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(arguments)}")
    return time.monotonic() - start, usage.ru_maxrss / 2**20


def test_images(data: Path, seed: int) -> list[Path]:
    images = sorted((data / "imagesTr").glob("*.nii.gz"))
    order = np.random.RandomState(seed).permutation(len(images))
    return [images[k] for k in order[-TEST_CASES:]]


def run_arm(data: Path, run: Path, arm: str, seed: int) -> None:
    """Train, predict and evaluate one arm with one seed, unless its scores are there."""
    if (run / "cost.json").is_file():
        return
    shutil.rmtree(run, ignore_errors=True)
    preset = ("--preset", "hippocampus-mri", "--labelled", LABELLED, "--seed", seed)
    seconds, memory = timed_training(["train", data, *preset, "--out", run, *ARMS[arm]])
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
    common = {"network": "dynunet", "arm": arm, "labelled": LABELLED, "seed": seed}
    return [common | {name: row[name] for name in COLUMNS[4:]} for row in rows]


def mean_by_case(rows: list[dict[str, object]], arm: str, name: str) -> dict[object, float]:
    """Return each test case's mean over its labels, keyed by seed and case."""
    found: dict[object, list[float]] = {}
    for row in rows:
        if row["arm"] == arm:
            found.setdefault((row["seed"], row["case"]), []).append(float(row[name]))
    return {key: float(np.mean(values)) for key, values in found.items()}


def summary(rows: list[dict[str, object]], costs: dict[str, list[dict[str, float]]]) -> dict:
    arms = {}
    for arm in costs:
        dice = mean_by_case(rows, arm, "dice")
        seeds = sorted({seed for seed, _ in dice})
        by_seed = [float(np.mean([v for (s, _), v in dice.items() if s == k])) for k in seeds]
        arms[arm] = {
            "seeds": seeds,
            "dice_by_seed": [round(value, 4) for value in by_seed],
            "dice": round(float(np.mean(by_seed)), 4),
            "hd95_mm": round(float(np.mean([*mean_by_case(rows, arm, "hd95_mm").values()])), 3),
            "surface_dice": round(
                float(np.mean([*mean_by_case(rows, arm, "surface_dice").values()])), 4
            ),
            "train_s": [cost["train_s"] for cost in costs[arm]],
            "peak_gb": max(cost["peak_gb"] for cost in costs[arm]),
        }
    return {"arms": arms, "genseg_against": paired_tests(rows, [a for a in costs if a != "genseg"])}


def paired_tests(rows: list[dict[str, object]], others: list[str]) -> dict[str, dict[str, float]]:
    """Compare GenSeg's Dice with each other arm's, case by case."""
    ours, tests = mean_by_case(rows, "genseg", "dice"), {}
    for other in others:
        theirs = mean_by_case(rows, other, "dice")
        keys = [key for key in ours if key in theirs]
        if keys:
            gains = np.array([ours[key] - theirs[key] for key in keys])
            tests[other] = {
                "cases": len(keys),
                "mean_gain": round(float(gains.mean()), 4),
                "better_in": int((gains > 0).sum()),
                "wilcoxon_p": float(wilcoxon(gains).pvalue),
            }
    return tests


def commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def machine() -> dict[str, object]:
    return {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}


def write_findings(name: str, found: dict) -> str:
    """Write results/NAME.json with the machine, date and commit it is from; return its text."""
    RESULTS.mkdir(exist_ok=True)
    origin = {**machine(), "date": str(date.today()), "commit": commit()}
    text = json.dumps({**found, **origin}, indent=1) + "\n"
    (RESULTS / f"{name}.json").write_text(text)
    return text


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
