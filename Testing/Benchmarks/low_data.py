"""The low-data benchmark: arms x labeled cases x seeds x networks, on the real hippocampus MRI.

    python Testing/Benchmarks/low_data.py                 # in full: for a GPU
    python Testing/Benchmarks/low_data.py --reduced       # what a CPU bears in some hours
    python Testing/Benchmarks/low_data.py --rehearse      # every arm for a few steps: minutes
    python Testing/Benchmarks/low_data.py --arms plain genseg --labeled 5 10 --seeds 0
    python Testing/Benchmarks/low_data.py --report        # tables and plots from the CSV alone

Each training is one `genseg train` as a user calls it, followed by `genseg predict` and `genseg
evaluate` on the test cases of DESIGN.md's protocol; nnU-Net runs in an environment of its own,
which is made first. What is done is not done again, and what was interrupted goes on: a job is done
when its rows are in results/low_data.csv. What a job cost, on which machine and at which commit, is
in results/low_data_costs.csv; low_data.json, low_data.md and the plots are made of both.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from subprocess import CalledProcessError

from low_data_parts.arms import EVERY_ARM, NNUNET_ARMS
from low_data_parts.conditions import Conditions
from low_data_parts.genseg_job import run_genseg_job
from low_data_parts.imported import import_runs
from low_data_parts.jobs import Job
from low_data_parts.nnunet_job import run_nnunet_job
from low_data_parts.nnunet_schedule import NnunetSchedule
from low_data_parts.plan import (
    LABELED,
    NETWORK,
    REDUCED,
    SEEDS,
    chosen_plan,
    full_plan,
    reduced_plan,
)
from low_data_parts.report import write_report
from low_data_parts.tables import COSTS, SCORES, has_job, put_rows
from measuring import RESULTS, ROOT, commit, machine_title

REHEARSAL = ("warmup_steps=2", "joint_steps=2", "final_steps=2", "validate_every=2")


def run_jobs(jobs: Iterable[Job], conditions: Conditions) -> list[Job]:
    """Run the jobs whose rows are not there yet; the tables grow by one job at a time.

    Returns:
        Those that failed: one arm's fault does not keep the others from running.
    """
    origin = {"machine": machine_title(conditions.device), "commit": commit()}
    failed = []
    for job in jobs:
        if has_job(conditions.scores, job):
            continue
        print(f"{job} ...", flush=True)
        run_job = run_nnunet_job if job.arm in NNUNET_ARMS else run_genseg_job
        try:
            scores, cost = run_job(job, conditions)
        except (SystemExit, CalledProcessError) as fault:
            print(f"{job}: {fault}", flush=True)
            failed.append(job)
            continue
        put_rows(conditions.costs, COSTS, job, [{**cost, **origin, "date": str(date.today())}])
        put_rows(conditions.scores, SCORES, job, scores)
        print(f"{job}: {cost['train_s']} s", flush=True)
    return failed


def jobs_asked_for(args: argparse.Namespace) -> list[Job]:
    """Give the jobs of the plan, or those that were named."""
    named = (args.networks, args.arms, args.labeled, args.seeds)
    if not any(named):
        return reduced_plan() if args.reduced or args.rehearse else full_plan()
    defaults = ([NETWORK], EVERY_ARM, LABELED, SEEDS)
    return chosen_plan(*(own or default for own, default in zip(named, defaults)))


def conditions_asked_for(args: argparse.Namespace) -> Conditions:
    """Give where and how everything runs; a rehearsal keeps apart from real results."""
    data = args.data.resolve()
    if not args.rehearse:
        return Conditions(data, args.runs.resolve(), args.results, device=args.device)
    folder = args.runs.resolve() / "rehearsal"
    return Conditions(
        data,
        folder,
        folder / "results",
        device=args.device,
        options=tuple(word for setting in REHEARSAL for word in ("--set", setting)),
        nnunet_schedule=NnunetSchedule(epochs=1, iterations=2),
        test_cases=4,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog=f"--reduced is {REDUCED}."
    )
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/low_data")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--device", default="auto")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--reduced", action="store_true", help="the form for a CPU")
    form.add_argument("--rehearse", action="store_true", help="a few steps of every arm")
    form.add_argument("--report", action="store_true", help="only read the tables")
    form.add_argument(
        "--import",
        dest="imported",
        metavar=("RUNS", "COMMIT"),
        nargs=2,
        help="take over runs of core_accuracy.py, which were trained at this commit",
    )
    parser.add_argument("--networks", nargs="+")
    parser.add_argument("--arms", nargs="+", choices=EVERY_ARM)
    parser.add_argument("--labeled", type=int, nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+")
    args = parser.parse_args()
    conditions, failed = conditions_asked_for(args), []
    if args.imported:
        runs, trained_at = args.imported
        import_runs(Path(runs), 10, trained_at, conditions)
    elif not args.report:
        if args.reduced:
            print(REDUCED)
        failed = run_jobs(jobs_asked_for(args), conditions)
    print(write_report(conditions.results))
    if failed:
        raise SystemExit(f"failed, and tried again next time: {', '.join(map(str, failed))}")


if __name__ == "__main__":
    main()
