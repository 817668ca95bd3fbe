"""Takes over runs of core_accuracy.py: three arms with ten labeled cases."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

from measuring import machine_title

from GenSegLib.runs import RunFolder

from .arms import GENSEG_ARMS
from .conditions import Conditions
from .jobs import Job
from .tables import COSTS, SCORES, put_rows


def import_runs(runs: Path, labeled: int, commit: str, conditions: Conditions) -> list[Job]:
    """Put the scores and costs of the runs `ARM-SEED` of a folder into the tables.

    Args:
        runs: folder of the runs, each with test-scores.csv and cost.json.
        labeled: their labeled cases.
        commit: at which they were trained.
        conditions: say where the tables are, and which device was used.
    """
    found = []
    for run in sorted(runs.glob("*-*")):
        arm, _, seed = run.name.rpartition("-")
        if arm not in GENSEG_ARMS or not (run / "cost.json").is_file():
            continue
        config = RunFolder.open(run).config
        job = Job(config.segmenter, arm, labeled, int(seed))
        origin = {
            "segmenter_steps": str(config.joint_steps + config.final_steps),
            "machine": machine_title(conditions.device),
            "date": str(date.fromtimestamp((run / "cost.json").stat().st_mtime)),
            "commit": commit,
        }
        cost = json.loads((run / "cost.json").read_text(encoding="utf-8"))
        costs = {name: str(value) for name, value in cost.items()}
        put_rows(conditions.costs, COSTS, job, [costs | origin])
        with (run / "test-scores.csv").open(newline="", encoding="utf-8") as stream:
            rows = [{name: row[name] for name in SCORES[4:]} for row in csv.DictReader(stream)]
        put_rows(conditions.scores, SCORES, job, rows)
        found.append(job)
    return found
