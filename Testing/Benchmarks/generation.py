"""What generated images are worth: arms of generation at equal time, on same and other scanners.

    python Testing/Benchmarks/generation.py --out runs/generation                  # 15 minutes each
    python Testing/Benchmarks/generation.py --out runs/generation --tasks ct-to-mr --seeds 0
    python Testing/Benchmarks/generation.py --out runs/generation --minutes 0.5 --seeds 0

Every training is `genseg train --time-budget` with the settings of an arm; its model segments the
test cases of its own cohort and of the shifted ones with `genseg predict`; those of hippocampi are
`simulated_scanners`, too. Classes are matched by name, and Dice is computed on each case's grid.
Unlabeled scans are those that the model is to segment: their images alone. Finished jobs are
skipped, interrupted training runs resume. Results are added to ``results/generation.csv``;
``results_table.py`` prints means and comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from cohorts_data import CohortCase, Split, write_cases
from jobs import Job, Rows, benchmark_options, run_missing, run_tests
from measuring import RESULTS, finish_training
from results_table import ResultsTable, markdown
from simulated_scanners import simulate_scanners
from tasks import REAL_ARMS, SHIFTS, Task

from GenSegLib.config import ENCODERS

TABLE = RESULTS / "generation.csv"
ARMS: dict[str, tuple[str, ...]] = {
    **REAL_ARMS,
    "genseg": ("--generator", "regions"),
    "regions": ("--generator", "regions", "--set", "search_horizon=0"),
    "genseg-unlabeled": ("--generator", "regions", "--unlabeled"),  # scans of shifted cohorts
    "augmented-own": ("--generator", "none", "--unlabeled"),  # of the training's own cohort
}


def run_job(job: Job, out: Path) -> Rows:
    """Train, predict all test cases, and return the rows of the results table."""
    split, folder = job.task.split(job.seed), out / job.folder_name
    tests = job.task.tests(split)
    if job.task.simulated:
        tests |= simulate_scanners(split.test, folder / "scanners")
    seconds, run = train(job, split, tests, folder)
    return run_tests(job, tests, run, folder, seconds)


def train(
    job: Job, split: Split, tests: Mapping[str, Sequence[CohortCase]], folder: Path
) -> tuple[float, Path]:
    """Train one model; return its seconds and its run folder."""
    task, run = job.task, folder / "run"
    has_unlabeled = "--unlabeled" in ARMS[job.arm]
    if job.arm == "genseg-unlabeled":
        split = replace(split, unlabeled=shifted_cases(task, tests) or own_cases(split))
    elif has_unlabeled:
        split = replace(split, unlabeled=own_cases(split))
    cases = folder / "cases.json"
    write_cases(cases, task.cohort, split, task.label_values(), with_unlabeled=has_unlabeled)
    command = [*job.preset_command(cases, run), *ARMS[job.arm]]
    if task.any_modality:
        command += ["--target-scanner", "similar"]
    seconds, _ = finish_training(run, command)
    return seconds, run


def shifted_cases(task: Task, tests: Mapping[str, Sequence[CohortCase]]) -> tuple[CohortCase, ...]:
    """Return the scans of the shifted cohorts; cases of two of them may have the same name."""
    return tuple(
        replace(case, name=f"{name}_{case.name}") for name in task.shifted for case in tests[name]
    )


def own_cases(split: Split) -> tuple[CohortCase, ...]:
    """Return further scans of the training's own cohort, those to be segmented if it has none."""
    return split.unlabeled or split.test


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the jobs that are not in the table yet."""
    parser = benchmark_options(__doc__, TABLE)
    parser.add_argument("--tasks", nargs="+", choices=SHIFTS, default=["ct-to-mr", "cardiac"])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--encoder", choices=ENCODERS, default="scratch")
    options = parser.parse_args(arguments)
    jobs = [
        Job(SHIFTS[task], arm, options.minutes, seed, options.encoder)
        for seed in options.seeds
        for task in options.tasks
        for arm in options.arms
    ]
    table = ResultsTable(options.table)
    run_missing(jobs, table, partial(run_job, out=options.out))
    print(markdown(table.rows(), "augmented"))


if __name__ == "__main__":
    main()
