"""Warm starts: more cases in a third of the time, and from a model of something else.

    python Testing/Benchmarks/warm_start.py --out runs/warm_start               # 6 minutes, 3 seeds
    python Testing/Benchmarks/warm_start.py --out runs/warm_start --tasks cardiac --seeds 0

Arms of a task: ``first`` trains on its labeled cases, ``nothing`` on two more in the same time,
``warm`` on those in a third of it, from the model of ``first``; ``transfer`` is ``first`` from the
model of 40 hippocampi (``source``), which is to be no worse by more than 0.005. Finished jobs are
skipped, interrupted training runs resume. Results are added to ``results/warm_start.csv``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cohorts_data import Split, write_cases
from jobs import Job, Rows, benchmark_options, run_missing, run_tests
from measuring import RESULTS, finish_training
from results_table import ResultsTable, markdown
from tasks import VOLUMES

TABLE = RESULTS / "warm_start.csv"
MORE_CASES, FRACTION_OF_TIME = 2, 1 / 3
_SOURCE_CASES = 40


@dataclass(frozen=True)
class WarmJob(Job):
    """A training, and the one whose model it starts from, if any."""

    start: Job | None = None


def jobs_of(name: str, minutes: float, seed: int) -> Iterator[WarmJob]:
    """Yield the jobs of a task in an order in which models exist before they are started from.

    Args:
        name: of the task in `VOLUMES`.
        minutes: of the arms that start from nothing.
        seed: of the cases and the training.
    """
    task = VOLUMES[name]
    more = replace(task, labeled=task.labeled + MORE_CASES)
    first = WarmJob(task, "first", minutes, seed)
    yield first
    yield WarmJob(more, "nothing", minutes, seed)
    yield WarmJob(more, "warm", minutes * FRACTION_OF_TIME, seed, start=first)
    hippocampus = VOLUMES["hippocampus"]
    if task != hippocampus:
        source = WarmJob(replace(hippocampus, labeled=_SOURCE_CASES), "source", minutes, seed)
        yield source
        yield WarmJob(task, "transfer", minutes, seed, start=source)


def run_job(job: WarmJob, out: Path) -> Rows:
    """Train, predict the test cases, and return the rows of the results table."""
    split, folder = job.task.split(job.seed), out / job.folder_name
    cases, run = folder / "cases.json", folder / "run"
    write_cases(cases, job.task.cohort, Split(split.labeled, (), ()), job.task.label_values())
    seconds, _ = finish_training(run, training_command(job, cases, run, out))
    return run_tests(job, {job.task.cohort.name: split.test}, run, folder, seconds)


def training_command(job: WarmJob, cases: Path, run: Path, out: Path) -> list[object]:
    """Return the command of a job's training; `out` has the folders of all jobs."""
    start = out / job.start.folder_name / "run" if job.start else None
    return job.preset_command(cases, run, start)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the jobs that are not in the table yet."""
    parser = benchmark_options(__doc__, TABLE)
    names = ("hippocampus", "cardiac")
    parser.add_argument("--tasks", nargs="+", choices=VOLUMES, default=names)
    parser.add_argument("--minutes", type=float, default=6.0)
    options = parser.parse_args(arguments)
    table = ResultsTable(options.table)
    jobs = [
        job
        for seed in options.seeds
        for name in options.tasks
        for job in jobs_of(name, options.minutes, seed)
    ]
    run_missing(jobs, table, partial(run_job, out=options.out))
    print(markdown(table.rows()))


if __name__ == "__main__":
    main()
