"""What could better masks give? Generated pairs on real masks of cases that are not labeled.

    python Testing/Benchmarks/better_masks.py [--seed 0] [--masks 90]

No way of making new masks from ten cases can do better than real masks of further cases. So all
three levels are trained once as a user does, and once with every generated pair on the real mask of
one of 90 further cases (whose images stay unseen): an image of a labeled case is moved onto it by
registration, and the generator finishes it. If both tie, new masks are not what ten cases lack.

Scores are those of 60 development cases (places 40 to 99 of the seed's permutation), which are in
neither; the masks come from the others that are neither labeled nor test cases.
Trainings that are done are kept in runs/better_masks. Writes results/better_masks.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from statistics import mean

from comparing import Key, gains, mean_by_case, paired_test
from measuring import ROOT, genseg, timed, write_findings
from protocol import Split, case_names, split_cases, write_cases

LABELED, DEVELOPMENT = 10, slice(40, 100)
REHEARSAL = [
    word
    for each in ("warmup_steps=2", "joint_steps=4", "final_steps=2")
    for word in ("--set", each)
]
ARMS = ("real masks", "genseg")


def development_cases(data: Path, seed: int) -> list[str]:
    return _middle(split_cases(case_names(data), LABELED, seed))[DEVELOPMENT]


def shown_cases(data: Path, seed: int, masks: int) -> list[str]:
    """Return the cases whose masks may be seen: neither labeled, nor development or test cases."""
    middle = _middle(split_cases(case_names(data), LABELED, seed))
    return [*middle[LABELED : DEVELOPMENT.start], *middle[DEVELOPMENT.stop :]][:masks]


def _middle(split: Split) -> list[str]:
    return [*split.labeled, *split.unlabeled]


def run_arm(args: argparse.Namespace, arm: str) -> dict[Key, float]:
    """Train, predict and evaluate one arm unless that is done; return its Dice case by case."""
    run = args.runs / f"{arm.replace(' ', '-')}-{args.seed}"
    table = run.with_name(f"{run.name}.csv")
    if not table.is_file():
        shutil.rmtree(run, ignore_errors=True)
        train(args, arm, run)
        folder = run.with_name(f"{run.name}-predictions")
        names = development_cases(args.data, args.seed)
        images = [args.data / f"imagesTr/{name}.nii.gz" for name in names]
        genseg("predict", run, *images, "--out", folder, "--overwrite")
        references = args.data / "labelsTr"
        genseg("evaluate", "--predictions", folder, "--references", references, "--out", table)
    with table.open(newline="", encoding="utf-8") as stream:
        return mean_by_case([{**row, "seed": args.seed} for row in csv.DictReader(stream)], "dice")


def train(args: argparse.Namespace, arm: str, run: Path) -> None:
    split = split_cases(case_names(args.data), LABELED, args.seed)
    cases, shown = (run.with_name(f"{run.name}-{name}.json") for name in ("cases", "shown"))
    write_cases(cases, args.data, split, with_unlabeled=False)
    options = [cases, "--preset", "hippocampus-mri", "--seed", args.seed, "--out", run]
    options += args.options
    if arm != "real masks":
        timed([sys.executable, "-m", "GenSegLib", "train", *options])
        return
    further = replace(split, labeled=tuple(shown_cases(args.data, args.seed, args.masks)))
    write_cases(shown, args.data, further, with_unlabeled=False)
    program = Path(__file__).with_name("real_masks_training.py")
    timed([sys.executable, program, *options, "--", shown], {"PYTHONPATH": str(ROOT)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/better_masks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--masks", type=int, default=90)
    parser.add_argument("--rehearse", action="store_true", help="a few steps, and no results")
    args = parser.parse_args()
    args.options = REHEARSAL if args.rehearse else []
    args.runs.mkdir(parents=True, exist_ok=True)
    dice = {arm: run_arm(args, arm) for arm in ARMS}
    found = {
        "seed": args.seed,
        "masks": args.masks,
        "dice": {arm: round(mean(of_arm.values()), 4) for arm, of_arm in dice.items()},
        "real_masks_against_genseg": paired_test(gains(dice["real masks"], dice["genseg"])),
    }
    print(json.dumps(found, indent=1) if args.rehearse else write_findings("better_masks", found))


if __name__ == "__main__":
    main()
