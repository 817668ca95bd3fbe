"""Equal numbers of annotated voxels: few complete cases, or parts of more cases.

    python Testing/Benchmarks/sparse.py --out runs/sparse                      # 10 minutes, 3 seeds
    python Testing/Benchmarks/sparse.py --out runs/sparse --seeds 0 --minutes 3

Arms on the hippocampus: ``complete``, 10 cases; ``slices``, 30 cases of which every third slice is
annotated; ``cubes``, 40 cases with a cube around a random voxel of the foreground each. The other
voxels have the label Ignore. Results are added to ``results/annotation.csv``, with the number of
annotated voxels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK
from annotation import TABLE, Labels, read_label, score
from cohorts_data import CohortCase, Split, write_cases
from jobs import Job, Rows, benchmark_options, predict_cases, run_missing
from measuring import finish_training
from results_table import ResultsTable, markdown
from tasks import VOLUMES

CASES = {"complete": 10, "slices": 30, "cubes": 40}
IGNORE = 255

_PREFIX = "sparse-"  # of the column ``arm``
_STRIDE = CASES["slices"] // CASES["complete"]
_SLICE_AXIS = 1  # posterior to anterior in the files (z, y, x): across the hippocampus


def all_voxels(label: Labels, _: np.random.Generator) -> Labels:
    """Return which voxels of a label are annotated: all."""
    return np.ones(label.shape, bool)


def every_third_slice(label: Labels, generator: np.random.Generator) -> Labels:
    """Return which voxels are annotated: slices at equal distances, from a random one on."""
    annotated = np.zeros(label.shape, bool)
    first = int(generator.integers(_STRIDE))
    slices: list[slice] = [slice(None)] * label.ndim
    slices[_SLICE_AXIS] = slice(first, None, _STRIDE)
    annotated[tuple(slices)] = True
    return annotated


def cube(label: Labels, generator: np.random.Generator) -> Labels:
    """Return which voxels are annotated: a cube of a quarter of the voxels, as far as it fits."""
    edge = round((label.size * CASES["complete"] / CASES["cubes"]) ** (1 / 3))
    voxels = np.argwhere(label)
    center = voxels[generator.integers(len(voxels))]
    annotated = np.zeros(label.shape, bool)
    starts = [
        int(np.clip(place - edge // 2, 0, max(0, size - edge)))
        for place, size in zip(center, label.shape)
    ]
    annotated[tuple(slice(start, start + edge) for start in starts)] = True
    return annotated


ANNOTATED: dict[str, Callable[[Labels, np.random.Generator], Labels]] = {
    "complete": all_voxels,
    "slices": every_third_slice,
    "cubes": cube,
}


def write_sparse(case: CohortCase, arm: str, seed: int, folder: Path) -> tuple[CohortCase, int]:
    """Write the label of a case with the other voxels ignored; return the case and the count."""
    image = SimpleITK.ReadImage(str(case.label))
    label = SimpleITK.GetArrayFromImage(image)
    number = int(case.name.rpartition("_")[2])
    annotated = ANNOTATED[arm](label, np.random.default_rng([seed, number]))
    sparse = SimpleITK.GetImageFromArray(np.where(annotated, label, IGNORE).astype(np.uint8))
    sparse.CopyInformation(image)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{case.name}.nii.gz"
    SimpleITK.WriteImage(sparse, str(file))
    return replace(case, label=file), int(annotated.sum())


class SparseJob(Job):
    """A training on the cases of an arm."""

    @classmethod
    def of(cls, arm: str, minutes: float, seed: int) -> SparseJob:
        """Return the job of an arm, which is in the table beside those of annotation.py."""
        task = replace(VOLUMES["hippocampus"], name="sparse", labeled=CASES[arm])
        return cls(task, f"{_PREFIX}{arm}", minutes, seed)

    @property
    def annotation(self) -> str:
        """Name of the arm in `CASES` and `ANNOTATED`."""
        return self.arm.removeprefix(_PREFIX)

    @property
    def folder_name(self) -> str:
        """Name of the job's folder."""
        return f"{self.annotation}-{self.minutes:g}min-{self.seed}"


def run_job(job: SparseJob, out: Path) -> Rows:
    """Train on the arm's cases, predict the test cases, and return the rows of the table."""
    task, folder = job.task, out / job.folder_name
    split, values = task.split(job.seed), task.label_values()
    written = [
        write_sparse(case, job.annotation, job.seed, folder / "labels") for case in split.labeled
    ]
    labeled, counts = zip(*written)
    cases, run = folder / "cases.json", folder / "run"
    write_cases(cases, task.cohort, Split(labeled, (), ()), {**values, "Ignore": IGNORE})
    seconds, _ = finish_training(run, job.preset_command(cases, run))
    predictions = predict_cases(run, split.test, folder)
    rows: Rows = []
    for case in split.test:
        predicted, _ = read_label(next(predictions.glob(f"{case.name}.*")))
        for row in score(values, predicted, *read_label(case.label)):
            extra = {"case": case.name, "train_seconds": round(seconds), "annotated": sum(counts)}
            rows.append({**job.key, **extra, **row})
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the training runs that are not in the table yet."""
    parser = benchmark_options(__doc__, TABLE)
    parser.add_argument("--arms", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args(arguments)
    table = ResultsTable(options.table)
    jobs = [
        SparseJob.of(arm, options.minutes, seed) for seed in options.seeds for arm in options.arms
    ]
    run_missing(jobs, table, partial(run_job, out=options.out))
    print(markdown(row for row in table.rows() if row["task"] == "sparse"))


if __name__ == "__main__":
    main()
