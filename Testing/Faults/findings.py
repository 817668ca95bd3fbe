"""Where the programs of this folder write their counts: results.json beside them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from Testing.Benchmarks.core_accuracy import commit, machine

RESULTS = Path(__file__).with_name("results.json")


def write_counts(program: str, counts: dict[str, Any]) -> None:
    """Print the counts and put them into results.json, with where and when they are from."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    known[program] = {**counts, **machine(), "date": str(date.today()), "commit": commit()}
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(known[program], indent=1))
