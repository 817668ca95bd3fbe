"""Takes over what core_accuracy.py measured: three arms with ten labelled cases."""

from __future__ import annotations

import json
from pathlib import Path

from .conditions import Conditions
from .jobs import Job
from .tables import COSTS, SCORES, put_rows, read_table


def import_scores(found: Path, commit: str, conditions: Conditions) -> list[Job]:
    """Put the rows of `found`.csv among those of low_data.csv, and their costs of `found`.json.

    Args:
        found: path without its ending.
        commit: at which the models were trained.
        conditions: say where the tables are.
    """
    rows = read_table(found.with_suffix(".csv"))
    known = json.loads(found.with_suffix(".json").read_text(encoding="utf-8"))
    origin = {
        "machine": f"{known['machine']}, {known['cores']} cores",
        "date": known["date"],
        "commit": commit,
    }
    jobs = sorted({Job.of(row) for row in rows})
    for job in jobs:
        arm = known["arms"][job.arm]
        cost = {
            "segmenter_steps": str(known["segmenter_steps"]),
            "train_s": str(arm["train_s"][arm["seeds"].index(job.seed)]),
            "peak_gb": str(arm["peak_gb"]),
        }
        put_rows(conditions.costs, COSTS, job, [cost | origin])
        own = [row for row in rows if Job.of(row) == job]
        put_rows(conditions.scores, SCORES, job, own)
    return jobs
