"""What the benchmarks share: running `genseg`, measuring it, and saying where a figure is from."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"


def genseg(*arguments: object) -> None:
    """Run a verb of the command line as a user does; its progress is not shown."""
    command = [sys.executable, "-m", "GenSegLib", *map(str, arguments)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def timed_training(command: Sequence[object]) -> tuple[float, float]:
    """Train; return the seconds it took and its peak memory in GB."""
    start = time.monotonic()
    arguments = [sys.executable, "-m", "GenSegLib", *map(str, command)]
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(arguments)}")
    return time.monotonic() - start, usage.ru_maxrss / 2**20


def commit() -> str:
    """Give the short name of the commit that is checked out."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def machine() -> dict[str, object]:
    """Say what machine this is."""
    return {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}


def write_findings(name: str, found: dict) -> str:
    """Write results/NAME.json with the machine, date and commit it is from; return its text."""
    RESULTS.mkdir(exist_ok=True)
    origin = {**machine(), "date": str(date.today()), "commit": commit()}
    text = json.dumps({**found, **origin}, indent=1) + "\n"
    (RESULTS / f"{name}.json").write_text(text)
    return text
