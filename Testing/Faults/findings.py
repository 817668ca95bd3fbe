"""Where the programs of this folder write their counts: results.json beside them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from GenSegLib.files import read_json, write_json
from Testing.Benchmarks.measuring import commit, machine

RESULTS = Path(__file__).with_name("results.json")


def write_counts(program: str, counts: dict[str, Any]) -> None:
    """Print the counts and put them into results.json, with where and when they are from."""
    known = all_counts()
    known[program] = {**counts, **machine(), "date": str(date.today()), "commit": commit()}
    write_json(RESULTS, known)
    print(json.dumps({program: known[program]}), flush=True)


def counts_so_far(program: str, none: dict[str, Any]) -> dict[str, Any]:
    """The counts that the program wrote at this commit, so that it can go on; else `none`."""
    known = all_counts().get(program, {})
    here = known.get("commit") == commit() and known.keys() >= none.keys()
    return {name: known[name] for name in none} if here else none


def all_counts() -> dict[str, Any]:
    """What results.json holds, by program."""
    return read_json(RESULTS) if RESULTS.is_file() else {}
