"""Equal numbers of annotated voxels: few complete cases, or parts of more cases.

    python Testing/Benchmarks/sparse.py --out runs/sparse                      # 10 minutes, 3 seeds
    python Testing/Benchmarks/sparse.py --out runs/sparse --seeds 0 --minutes 3

Arms on the hippocampus: ``complete``, 10 cases; ``slices``, 30 cases of which every third slice is
annotated; ``cubes``, 40 cases with a cube around a random voxel of the foreground each. The other
voxels have the label Ignore. Results are added to ``results/annotation.csv``, with the number of
annotated voxels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK
from annotation import TABLE, Labels, link_images, read_label, score
from cohorts import PRESETS, TASKS
from cohorts_data import CohortCase, Split, split_cohort, write_cases
from measuring import finish_training, genseg
from results_table import ResultsTable, markdown

TASK = TASKS["hippocampus"]
CASES = {"complete": 10, "slices": 30, "cubes": 40}
IGNORE = 255

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


def run_arm(arm: str, seed: int, minutes: float, out: Path) -> list[dict[str, object]]:
    """Train on the arm's cases, predict the test cases, and return the rows of the table."""
    split = split_cohort(TASK.cohort, CASES[arm], seed)
    folder = out / f"{arm}-{minutes:g}min-{seed}"
    written = [write_sparse(case, arm, seed, folder / "labels") for case in split.labeled]
    labeled, counts = zip(*written)
    cases, run, images = folder / "cases.json", folder / "run", folder / "images"
    values = {**TASK.label_values(), "Ignore": IGNORE}
    write_cases(cases, TASK.cohort, Split(labeled, (), ()), values)
    command: list[object] = ["train", cases, "--out", run, "--seed", seed]
    command += ["--time-budget", f"{minutes * 60:g}s", "--preset", PRESETS[TASK.name]]
    seconds, _ = finish_training(run, command)
    link_images(images, split.test)
    genseg("predict", run / "model", images, "--out", folder / "predictions", "--overwrite")
    rows = []
    for case in split.test:
        predicted, _ = read_label(next((folder / "predictions").glob(f"{case.name}.*")))
        for row in score(TASK.label_values(), predicted, *read_label(case.label)):
            extra = {"case": case.name, "train_seconds": round(seconds), "annotated": sum(counts)}
            rows.append({**job_key(arm, seed, minutes), **extra, **row})
    return rows


def job_key(arm: str, seed: int, minutes: float) -> dict[str, object]:
    """Return the columns that identify a training in the table."""
    name = TASK.cohort.name
    key = {"train": name, "test": name, "arm": f"sparse-{arm}", "encoder": "scratch"}
    size = {"labeled": CASES[arm], "seed": seed}
    return {**key, **size, "task": "sparse", "minutes": f"{minutes:g}"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the trainings that are not in the table yet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and predictions")
    parser.add_argument("--arms", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", type=Path, default=TABLE)
    options = parser.parse_args(arguments)
    table = ResultsTable(options.table)
    for seed in options.seeds:
        for arm in options.arms:
            if not table.has(**job_key(arm, seed, options.minutes)):
                table.append(run_arm(arm, seed, options.minutes, options.out))
                print(f"{arm}, seed {seed} done", flush=True)
    print(markdown(row for row in table.rows() if row["task"] == "sparse"))


if __name__ == "__main__":
    main()
