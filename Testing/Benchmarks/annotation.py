"""The annotation loop with a simulated user, whose correction of each draft is the reference.

    python Testing/Benchmarks/annotation.py --out runs/annotation                   # all tasks
    python Testing/Benchmarks/annotation.py --out runs/annotation --tasks hippocampus --seeds 0
    python Testing/Benchmarks/annotation.py --out runs/try --tasks hippocampus --seeds 0 \\
        --strategies random --rounds 2 --minutes 0.33 --table runs/try/annotation.csv

The user starts with two checked cases. In each round a model is trained, `genseg next` selects a
case, `genseg predict` drafts it, and the user corrects the draft. Arms: ``loop-STRATEGY`` trains
from the model of the round before (``genseg train --from``), ``retrained-STRATEGY`` from scratch,
both in the same time. Pools have one case a patient, so that no draft is of a patient that the
model has seen.

Effort is the share of voxels that the user had to change (of those of the reference), and the added
path length (of the reference's contours in slices, Vaassen et al., 2020,
doi:10.1016/j.phro.2019.12.001); drawing a case by hand is 1. Finished rounds are skipped,
interrupted training runs resume. Results are added to ``results/annotation.csv``, one row per draft
and class; the summary gives Dice by case number, and the effort until the target Dice and of all
cases, both relative to drawing 12 cases by hand.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from cohorts_data import CohortCase, Split, dice, read_cohort, write_cases
from jobs import Job, benchmark_options, link_images
from measuring import RESULTS, ROOT, finish_training, genseg
from numpy.typing import NDArray
from results_table import ResultsTable
from scipy import ndimage
from tasks import VOLUMES, Task

TABLE = RESULTS / "annotation.csv"
TARGETS = {"hippocampus": 0.85, "cardiac": 0.85, "liver": 0.9, "atrium": 0.9}
STRATEGIES = ("random", "order", "different", "unsure")
FIRST, LAST = 2, 12  # checked cases

_POOL = 24  # cases to select from, beside the first two
_SMOOTHED = 3  # drafts over which the Dice must reach the target, since single ones scatter

Labels = NDArray[Any]


@dataclass(frozen=True)
class Loop:
    """A simulated user: task, arm ("loop" or "retrained"), strategy, minutes a round and seed."""

    task: Task
    arm: str
    strategy: str
    minutes: float
    seed: int

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.job(FIRST).folder_name

    def job(self, labeled: int) -> Job:
        """Return the round that trains on some checked cases."""
        task = replace(self.task, labeled=labeled)
        return Job(task, f"{self.arm}-{self.strategy}", self.minutes, self.seed)

    def pool(self) -> list[CohortCase]:
        """Return one case of each patient in random order, without those of test cases."""
        cases = read_cohort(self.task.cohort)
        split = self.task.split(self.seed)
        test = {case.group for case in split.test} if self.task.cohort.test else set()
        groups = sorted({case.group for case in cases})
        order = [groups[k] for k in np.random.RandomState(self.seed).permutation(len(groups))]
        first = {case.group: case for case in reversed(cases)}
        return [first[group] for group in order if group not in test][: FIRST + _POOL]


def run_loop(loop: Loop, out: Path, table: ResultsTable, last: int) -> None:
    """Run the rounds that are not in the table yet, until `last` cases are checked."""
    folder = out / loop.name
    pool = {case.name: case for case in loop.pool()}
    history = folder / "checked.json"
    folder.mkdir(parents=True, exist_ok=True)
    checked: list[str] = [*pool][:FIRST]
    if history.is_file():
        checked = json.loads(history.read_text(encoding="utf-8"))
    while len(checked) < min(last, len(pool)):
        rows, name = run_round(loop, folder, pool, checked)
        table.append(rows)
        checked.append(name)
        history.write_text(json.dumps(checked), encoding="utf-8")
        print(f"{loop.name}: {len(checked)} cases, draft {mean_dice(rows):.3f}", flush=True)


def run_round(
    loop: Loop, folder: Path, pool: Mapping[str, CohortCase], checked: Sequence[str]
) -> tuple[list[dict[str, object]], str]:
    """Train on the checked cases, and draft the next one; return the rows and its name."""
    run = folder / f"run-{len(checked):02d}"
    cases, images = folder / f"cases-{len(checked):02d}.json", folder / f"images-{len(checked):02d}"
    labeled = tuple(pool[name] for name in checked)
    write_cases(cases, loop.task.cohort, Split(labeled, (), ()), loop.task.label_values())
    seconds, _ = finish_training(run, training_command(loop, folder, cases, run, len(checked)))
    # the strategy "order" goes by the names of the images, whose links have them, too
    link_images(images, [case for name, case in pool.items() if name not in checked])
    name = select(loop, run, images, cases)
    drafts = folder / f"draft-{len(checked):02d}"
    image = images / pool[name].images[0].name
    genseg("predict", run / "model", image, "--out", drafts, "--overwrite")
    draft, (reference, spacing) = next(drafts.glob(f"{name}.*")), read_label(pool[name].label)
    extra = {"strategy": loop.strategy, "train_seconds": round(seconds)}
    rows = []
    for row in score(loop.task.label_values(), read_label(draft)[0], reference, spacing):
        rows.append({**loop.job(len(checked)).key, "case": name, **extra, **row})
    return rows, name


def training_command(
    loop: Loop, folder: Path, cases: Path, run: Path, labeled: int
) -> list[object]:
    """Return the command of a round's training."""
    is_continued = loop.arm == "loop" and labeled > FIRST
    last = folder / f"run-{labeled - 1:02d}" if is_continued else None
    return loop.job(labeled).preset_command(cases, run, last)


def select(loop: Loop, run: Path, images: Path, cases: Path) -> str:
    """Return the name of the case that `genseg next` selects."""
    command = [sys.executable, "-m", "GenSegLib", "next", str(run), str(images), "--json"]
    command += ["--strategy", loop.strategy, "--labeled", str(cases), "--seed", str(loop.seed)]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    return str(json.loads(done.stdout)["cases"][0]["name"])


def score(
    labels: Mapping[str, int], draft: Labels, reference: Labels, spacing: Sequence[float]
) -> list[dict[str, object]]:
    """Return Dice and effort of each class that the draft or the reference has.

    Args:
        labels: values of the classes by name.
        draft: label values (z, y, x).
        reference: the same, corrected.
        spacing: of the voxels (z, y, x); contours lie in the slices across the thickest axis.
    """
    axis = int(np.argmax(spacing))
    rows: list[dict[str, object]] = []
    for name, value in labels.items():
        ours, theirs = draft == value, reference == value
        if not (ours.any() or theirs.any()):
            continue
        changed, path = int((ours != theirs).sum()), added_path_length(ours, theirs, axis)
        rows.append(
            {
                "label": name,
                "dice": f"{dice(draft, reference, (value,)):.4f}",
                "changed_voxels": changed,
                "voxels": int(theirs.sum()),
                "added_path": path,
                "path": int(contour(theirs, axis).sum()),
            }
        )
    return rows


def contour(mask: Labels, axis: int) -> Labels:
    """Return the voxels on the contours of a mask in the slices across an axis."""
    structure = ndimage.generate_binary_structure(2, 1)
    inner: Labels = ndimage.binary_erosion(mask, np.expand_dims(structure, axis))
    return mask & ~inner


def added_path_length(draft: Labels, reference: Labels, axis: int) -> int:
    """Return the number of voxels of the reference's contours that the draft's lack."""
    return int((contour(reference, axis) & ~contour(draft, axis)).sum())


def read_label(path: Path | None) -> tuple[Labels, tuple[float, ...]]:
    """Return the label values (z, y, x) of a file and the spacing in the same order."""
    image = SimpleITK.ReadImage(str(path))
    return SimpleITK.GetArrayFromImage(image), image.GetSpacing()[::-1]


def mean_dice(rows: Iterable[Mapping[str, object]]) -> float:
    """Return the mean Dice of the classes of one draft."""
    return float(np.mean([float(str(row["dice"])) for row in rows]))


@dataclass(frozen=True)
class Effort:
    """Work of one kind, in cases drawn by hand.

    Attributes:
        until_target: until the target Dice; NaN if it was not reached.
        total: on all cases.
        worst: the most on one draft, whose user did not delete it.
    """

    until_target: float
    total: float
    worst: float


EFFORTS = {"voxels": ("changed_voxels", "voxels"), "path": ("added_path", "path")}


def draft_scores(drafts: Mapping[int, Sequence[Mapping[str, str]]]) -> dict[int, float]:
    """Return the Dice of each draft of a loop by the number of cases that its model learned from.

    Args:
        drafts: rows of each draft by the number of checked cases.
    """
    return {labeled: mean_dice(rows) for labeled, rows in sorted(drafts.items())}


def sum_effort(
    drafts: Mapping[int, Sequence[Mapping[str, str]]], target: float, kind: str
) -> Effort:
    """Return the effort of one loop; the first cases were drawn by hand.

    A user who sees a useless draft deletes it, so that no case takes more than drawing by hand.

    Args:
        drafts: rows of each draft by the number of checked cases.
        target: Dice, as the mean of three drafts in a row.
        kind: a key of `EFFORTS`.
    """
    scores = draft_scores(drafts)
    parts = [_part_of(drafts[labeled], *EFFORTS[kind]) for labeled in scores]
    spent = FIRST + np.cumsum([min(1.0, part) for part in parts])
    recent = np.convolve([*scores.values()], np.full(_SMOOTHED, 1 / _SMOOTHED), mode="valid")
    reached = np.flatnonzero(recent >= target)
    until = spent[reached[0] + _SMOOTHED - 1] if len(reached) else np.nan
    return Effort(float(until), float(spent[-1]), max(parts))


def _part_of(rows: Sequence[Mapping[str, str]], changed: str, of: str) -> float:
    return sum(int(row[changed]) for row in rows) / max(1, sum(int(row[of]) for row in rows))


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Return the summary of all loops in the table."""
    loops: dict[tuple[str, ...], dict[int, list[Mapping[str, str]]]] = {}
    for row in rows:
        if row["task"] not in TARGETS:
            continue
        key = tuple(row[name] for name in ("task", "arm", "minutes", "seed"))
        loops.setdefault(key, {}).setdefault(int(row["labeled"]), []).append(row)
    lines = [
        "| task | arm | min | seed | Dice of the drafts | voxels: until the target | all cases | "
        "worst draft | path: until the target | all cases |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (task, arm, minutes, seed), drafts in sorted(loops.items()):
        curve = " ".join(f"{value:.2f}" for value in draft_scores(drafts).values())
        voxels, path = (sum_effort(drafts, TARGETS[task], kind) for kind in EFFORTS)
        lines.append(
            f"| {task} | {arm} | {minutes} | {seed} | {curve} | {voxels.until_target / LAST:.0%} | "
            f"{voxels.total / LAST:.0%} | {voxels.worst:.2f} | {path.until_target / LAST:.0%} | "
            f"{path.total / LAST:.0%} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the rounds that are not finished, and print the summary."""
    parser = benchmark_options(__doc__, TABLE)
    parser.add_argument("--tasks", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--arms", nargs="+", choices=("loop", "retrained"), default=["loop"])
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=["random"])
    parser.add_argument("--minutes", type=float, default=3.0, help="of each training")
    parser.add_argument("--rounds", type=int, default=LAST - FIRST)
    options = parser.parse_args(arguments)
    table = ResultsTable(options.table)
    for seed in options.seeds:
        for task in options.tasks:
            for arm in options.arms:
                for strategy in options.strategies:
                    loop = Loop(VOLUMES[task], arm, strategy, options.minutes, seed)
                    run_loop(loop, options.out, table, FIRST + options.rounds)
    print(markdown(table.rows()))


if __name__ == "__main__":
    main()
