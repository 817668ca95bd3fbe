"""Shared by the benchmarks: run `genseg` and other programs, measure them, record the origin."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"
NNUNET = ("nnunetv2==2.8.1",)

Command = Sequence[object]
Cost = tuple[float, float]  # seconds, peak memory in GB


def genseg(*arguments: object) -> None:
    """Run a command of `genseg` as a user does, without showing its progress."""
    command = [sys.executable, "-m", "GenSegLib", *map(str, arguments)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def timed(command: Command, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a program; return its wall-clock seconds and its peak memory in GB.

    Args:
        command: The program and its arguments; standard output is not shown.
        environment: Variables added to those of this process.

    Raises:
        SystemExit: The program failed.
    """
    start = time.monotonic()
    arguments = [*map(str, command)]
    environment = {**os.environ, **(environment or {})}
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"failed: {' '.join(arguments)}")
    return time.monotonic() - start, usage.ru_maxrss / 2**20


def timed_genseg(command: Command) -> Cost:
    """Run `genseg`; return its wall-clock seconds and its peak memory in GB."""
    return timed([sys.executable, "-m", "GenSegLib", *command])


def finish_training(
    run: Path, command: Command, run_genseg: Callable[[Command], Cost] = timed_genseg
) -> Cost:
    """Train, or resume a training; return its total seconds and its peak memory in GB.

    The memory is that of the last process that trained; it is stored for the next call.

    Args:
        run: The run folder that `command` names.
        command: Arguments of `genseg` that start the training.
        run_genseg: Runs `genseg` and returns seconds and peak memory.

    Raises:
        SystemExit: The training was stopped before it finished.
    """
    from GenSegLib.events import read_events
    from GenSegLib.runs import RunFolder

    memory_file = run.with_name(run.name + "-memory.txt")
    has_begun = RunFolder.is_run(run) and RunFolder.open(run).has_begun()
    if not (has_begun and is_finished(run) and memory_file.is_file()):
        if not has_begun:
            shutil.rmtree(run, ignore_errors=True)
        _, memory_gb = run_genseg(["resume", run] if has_begun else command)
        if not is_finished(run):
            raise SystemExit(f"{run}: the training was stopped; run this again to resume it")
        memory_file.write_text(f"{memory_gb}", encoding="utf-8")
    memory_gb = float(memory_file.read_text(encoding="utf-8"))
    return training_seconds(read_events(run / "events.jsonl")), memory_gb


def is_finished(run: Path) -> bool:
    """Return whether a training has written its model."""
    from GenSegLib.runs import RunFolder, State

    return RunFolder.open(run).read_status()["state"] == State.FINISHED.value


def training_seconds(events: Iterable[Mapping[str, Any]]) -> float:
    """Return how long a training ran, without the time between interruptions."""
    total, began, last = 0.0, None, 0.0
    for event in events:
        if event.get("state") == "running":
            total += 0.0 if began is None else last - began
            began = event["time"]
        last = event["time"]
    return total if began is None else total + last - began


def peer_python(name: str, packages: Sequence[str], options: Sequence[str] = ()) -> Path:
    """Return the Python of a virtual environment in `runs/peers/NAME`; create it if needed.

    Programs that GenSeg is compared with are installed apart from it, with the versions of
    constraints.txt for shared packages, so that both run on the same PyTorch. ``-e ROOT`` installs
    GenSeg as users do, without developer packages.

    Args:
        name: Name of the environment.
        packages: As pip takes them, with exact versions.
        options: Further options of `pip install`, such as ``--no-deps``.

    Raises:
        subprocess.CalledProcessError: The packages cannot be installed.
    """
    environment = ROOT / "runs/peers" / name
    python = environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    requested = "\n".join((*packages, *options))
    marker = environment / "installed.txt"
    if marker.is_file() and marker.read_text(encoding="utf-8") == requested:
        return python
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    print(f"installing {' '.join(packages)} into {environment} (some minutes)", flush=True)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    constraints = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, *constraints, *options, *packages], check=True)
    marker.write_text(requested, encoding="utf-8")
    return python


def commit() -> str:
    """Return the short hash of the commit that is checked out."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def machine() -> dict[str, object]:
    """Return the processor and the number of its cores that this process may use."""
    return {"machine": platform.processor() or platform.machine(), "cores": usable_cores()}


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def write_result(name: str, result: Mapping[str, object]) -> str:
    """Write results/NAME.json with machine, date and commit; return its text."""
    RESULTS.mkdir(exist_ok=True)
    origin = {**machine(), "date": str(date.today()), "commit": commit()}
    text = json.dumps({**result, **origin}, indent=1) + "\n"
    (RESULTS / f"{name}.json").write_text(text)
    return text
