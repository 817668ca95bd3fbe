"""What the benchmarks share: running `genseg`, measuring it, and saying where a figure is from."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"


def genseg(*arguments: object) -> None:
    """Run a verb of the command line as a user does; its progress is not shown."""
    command = [sys.executable, "-m", "GenSegLib", *map(str, arguments)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def timed(
    command: Sequence[object], environment: Mapping[str, str] | None = None
) -> tuple[float, float]:
    """Run a program; return the seconds it took and the peak memory of one of its processes in GB.

    Args:
        command: the program and its arguments; what it prints is not shown, its faults are.
        environment: variables beside those of this process.
    """
    start = time.monotonic()
    arguments = [*map(str, command)]
    process = subprocess.Popen(
        arguments,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(arguments)}")
    return time.monotonic() - start, usage.ru_maxrss / 2**20


def timed_training(command: Sequence[object]) -> tuple[float, float]:
    """Run `genseg`; return the seconds it took and its peak memory in GB."""
    return timed([sys.executable, "-m", "GenSegLib", *command])


def commit() -> str:
    """Give the short name of the commit that is checked out."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def machine() -> dict[str, object]:
    """Say what machine this is."""
    return {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}


def machine_title(device: str) -> str:
    """Say in one line what a training on this device runs on."""
    from GenSegLib.computing.devices import choose_device, list_devices

    name = str(choose_device(device))
    known = {each.name: each.title for each in list_devices()}
    title = known.get("cuda:0" if name == "cuda" else name, name)
    return f"{platform.machine()} {title}"


def write_findings(name: str, found: dict) -> str:
    """Write results/NAME.json with the machine, date and commit it is from; return its text."""
    RESULTS.mkdir(exist_ok=True)
    origin = {**machine(), "date": str(date.today()), "commit": commit()}
    text = json.dumps({**found, **origin}, indent=1) + "\n"
    (RESULTS / f"{name}.json").write_text(text)
    return text
