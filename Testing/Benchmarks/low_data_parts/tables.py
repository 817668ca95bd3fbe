"""Tables of results that grow job by job: a job's rows replace those that it had before."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from .jobs import KEY, Job

Row = dict[str, str]

SCORES = (*KEY, "case", "label", "dice", "hd95_mm", "surface_dice")
COSTS = (*KEY, "segmenter_steps", "train_s", "peak_gb", "machine", "date", "commit")


def read_table(file: Path) -> list[Row]:
    """Give the rows of a table; none where it is not there yet."""
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def put_rows(file: Path, columns: Sequence[str], job: Job, rows: Sequence[Row]) -> None:
    """Write the rows of a job, sorted among those of the other jobs, in one stroke."""
    others = [row for row in read_table(file) if Job.of(row) != job]
    full = sorted([*others, *(job.columns() | row for row in rows)], key=Job.of)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(full)
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(".part")
    half.write_text(stream.getvalue(), encoding="utf-8", newline="")
    half.replace(file)


def has_job(file: Path, job: Job) -> bool:
    """Tell whether a table holds rows of a job."""
    return any(Job.of(row) == job for row in read_table(file))
