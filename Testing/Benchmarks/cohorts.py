"""The product's default on ordinary cohorts within a time budget, beside nnU-Net v2.

    python Testing/Benchmarks/cohorts.py --out runs/cohorts                    # 20 minutes, 3 seeds
    python Testing/Benchmarks/cohorts.py --out runs/cohorts --minutes 5 --seeds 0
    python Testing/Benchmarks/cohorts.py --out runs/cohorts --arm nnunet --seeds 0

Every training is `genseg train CASES --time-budget`, as a user types it; its model segments the
test cases with `genseg predict`. Dice is computed on each case's own grid. Finished jobs are
skipped, interrupted training runs resume. Leave the machine idle otherwise; `taskset -c 0` measures
on one core, in rows of its own. Results are added to ``results/cohorts.csv``; ``results_table.py``
prints their means.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cohorts_data import Split, cohort_labels, write_cases, write_nnunet_dataset
from jobs import Job, Rows, benchmark_options, predict_cases, run_missing, score_cases
from measuring import RESULTS, finish_training, usable_cores
from nnunet import DATASET, train_and_predict
from results_table import ResultsTable, markdown
from tasks import VOLUMES

from GenSegLib.config import ENCODERS

TABLE = RESULTS / "cohorts.csv"


class CohortJob(Job):
    """A training on the cores that this process may use."""

    @property
    def folder_name(self) -> str:
        """Name of the job's folder."""
        return f"{super().folder_name}-{usable_cores()}cores"

    def row(self, test: str) -> dict[str, object]:
        """Return the columns that identify the tests of the job in a cohort."""
        return {**super().row(test), "cores": usable_cores()}


def run_job(job: Job, out: Path) -> Rows:
    """Train, predict the test cases, and return the rows of the results table."""
    split, folder = job.task.split(job.seed), out / job.folder_name
    train = _train_nnunet if job.arm == "nnunet" else _train_genseg
    predictions, train_s, peak_gb, predict_s = train(job, split, folder)
    extra = {
        "peak_gb": f"{peak_gb:.2f}",
        "predict_seconds": f"{predict_s / len(split.test):.1f}",
    }
    rows = score_cases(job, job.task.cohort.name, split.test, predictions, train_s)
    return [{**row, **extra} for row in rows]


def _train_genseg(job: Job, split: Split, folder: Path) -> tuple[Path, float, float, float]:
    """Return predictions, training seconds, peak memory (GB) and prediction seconds."""
    cases, run = folder / "cases.json", folder / "run"
    write_cases(cases, job.task.cohort, split, job.task.label_values())
    seconds, peak_gb = finish_training(run, job.preset_command(cases, run))
    start = time.monotonic()
    predictions = predict_cases(run, split.test, folder)
    return predictions, seconds, peak_gb, time.monotonic() - start


def _train_nnunet(job: Job, split: Split, folder: Path) -> tuple[Path, float, float, float]:
    """Do the same with nnU-Net's own plan: 2d for anisotropic cohorts, else 3d_fullres."""
    write_nnunet_dataset(
        folder / "raw", job.task.cohort, split, cohort_labels(job.task.cohort), DATASET
    )
    configuration = "2d" if job.task.name in ("cardiac", "abdomen-mr") else "3d_fullres"
    budget_s = job.minutes * 60
    start = time.monotonic()
    predictions, (seconds, peak_gb) = train_and_predict(folder, "cpu", budget_s, configuration)
    return predictions, seconds, peak_gb, time.monotonic() - start - seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the jobs that are not in the table yet."""
    parser = benchmark_options(__doc__, TABLE)
    parser.add_argument("--tasks", nargs="+", choices=VOLUMES, default=list(VOLUMES))
    parser.add_argument("--minutes", nargs="+", type=float, default=[20.0])
    parser.add_argument("--arm", choices=("genseg", "nnunet"), default="genseg")
    parser.add_argument("--encoder", choices=ENCODERS, default="scratch")
    options = parser.parse_args(arguments)
    table = ResultsTable(options.table)
    jobs = [
        CohortJob(VOLUMES[name], options.arm, minutes, seed, options.encoder)
        for minutes in options.minutes
        for seed in options.seeds
        for name in options.tasks
    ]
    run_missing(jobs, table, partial(run_job, out=options.out))
    print(markdown(table.rows()))


if __name__ == "__main__":
    main()
