"""The publication's tasks on 2-D images, within a time budget, in their own and shifted domains.

    python Testing/Benchmarks/two_d.py --out runs/two_d --encoders scratch
    python Testing/Benchmarks/two_d.py --out runs/two_d --encoders pretrained --seeds 0
    python Testing/Benchmarks/two_d.py --out runs/two_d --tasks polyps --minutes 1 --seeds 0

Every training is `genseg train CASES --preset NAME --time-budget` on one thread; its model segments
the test images of its own set and of the shifted one with `genseg predict`. Dice is computed on
each image's own grid, in pixels. Two processes with different seeds or tasks may share the table.
Finished jobs are skipped, interrupted training runs resume. Results are added to
``results/two_d.csv``; ``results_table.py`` prints means and comparisons, and this script those over
the tasks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from cohorts_data import write_cases
from jobs import Job, Rows, benchmark_options, run_missing, run_tests
from measuring import RESULTS, finish_training
from results_table import ResultsTable, markdown
from tasks import IMAGES, REAL_ARMS

from GenSegLib.config import ENCODERS

TABLE = RESULTS / "two_d.csv"
ARMS: dict[str, tuple[str, ...]] = {
    **REAL_ARMS,
    "genseg": (),  # as planned: transplanted lesions, none for lungs and vessels
    "recolored": ("--generator", "regions", "--set", "transplanted_fraction=0"),
}


class ImageJob(Job):
    """A job whose folder has the encoder before the minutes."""

    @property
    def folder_name(self) -> str:
        """Name of the job's folder."""
        task, arm = self.task.name, self.arm
        return f"{task}-{arm}-{self.encoder}-{self.minutes:g}min-{self.seed}"


def run_job(job: Job, out: Path) -> Rows:
    """Train, predict all test images, and return the rows of the results table."""
    task, folder = job.task, out / job.folder_name
    split = task.split(job.seed)
    cases, run = folder / "cases.json", folder / "run"
    write_cases(cases, task.cohort, split, task.label_values())
    seconds, _ = finish_training(run, training_command(job, cases, run))
    return run_tests(job, task.tests(split), run, folder, seconds)


def training_command(job: Job, cases: Path, run: Path) -> list[object]:
    """Return the arguments of `genseg` for a job."""
    return [*job.preset_command(cases, run), "--threads", 1, *ARMS[job.arm]]


def means_over_tasks(rows: Iterable[Mapping[str, str]]) -> str:
    """Return the mean Dice over tasks of each encoder and arm, as a Markdown table.

    Tasks count alike, whatever their number of test images, and so do the seeds of a task.
    """
    scores: dict[tuple[str, str, bool], dict[str, list[float]]]
    scores = defaultdict(lambda: defaultdict(list))
    by_job: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row in rows:
        names = ("encoder", "arm", "train", "test", "seed", "minutes")
        by_job[tuple(row[name] for name in names)].append(float(row["dice"]))
    for (encoder, arm, train, test, *_), dices in by_job.items():
        scores[encoder, arm, train == test][test].append(float(np.mean(dices)))
    lines = ["| encoder | arm | test sets | number | Dice |", "| --- | --- | --- | --- | --- |"]
    for (encoder, arm, is_own), by_test in sorted(scores.items()):
        mean = np.mean([np.mean(each) for each in by_test.values()])
        domain = "own" if is_own else "shifted"
        lines.append(f"| {encoder} | {arm} | {domain} | {len(by_test)} | {mean:.4f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the jobs that are not in the table yet."""
    parser = benchmark_options(__doc__, TABLE)
    parser.add_argument("--tasks", nargs="+", choices=IMAGES, default=list(IMAGES))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args(arguments)
    jobs = [
        ImageJob(IMAGES[task], arm, options.minutes, seed, encoder)
        for seed in options.seeds
        for encoder in options.encoders
        for task in options.tasks
        for arm in options.arms
    ]
    table = ResultsTable(options.table)
    run_missing(jobs, table, partial(run_job, out=options.out))
    print(markdown(table.rows(), "augmented"))
    print()
    print(means_over_tasks(table.rows()))


if __name__ == "__main__":
    main()
