"""Kills trainings at random moments and resumes them until they are finished.

    python Testing/Faults/kill_training.py [--times 200] [--seconds 240] [--generator searchable]

A training writes a checkpoint after each step here, the shortest interval there is. So after each
kill the next process must go on from the very step that the killed one had begun, or from a later
one; and the weights of a finished training must equal an uninterrupted one's to the bit. Kills are
spread evenly over the time that an uninterrupted training computes, its start included. The counts
are written after each training; called again at the same commit, the program goes on with them.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from findings import counts_so_far, write_counts  # noqa: E402 - as the next ones, found by the path above
from lives import live  # noqa: E402
from tiny_training import (  # noqa: E402
    EVERY_STEP_S,
    final_learner,
    logs,
    tiny_cases,
    tiny_run,
)

from GenSegLib.cases import CaseSet  # noqa: E402
from GenSegLib.events import read_events  # noqa: E402
from GenSegLib.runs import RunFolder  # noqa: E402
from Testing.training_states import differing  # noqa: E402


@dataclass
class Counts:
    """What happened to the trainings."""

    kills: int = 0
    kills_while_writing: int = 0
    resumed: int = 0
    resumed_from_an_older_checkpoint: int = 0
    checkpoints_found_damaged: int = 0
    trainings_finished: int = 0
    trainings_that_differ: int = 0
    leftovers: int = 0
    killed_in_phase: dict[str, int] = field(default_factory=dict)


def unfinished(run: RunFolder) -> list[Path]:
    """What a killed process had not finished writing."""
    return list(run.path.rglob("*.tmp"))


def resumed_from(told: list[str]) -> int | None:
    """The step from which a process went on, by what it told; None where it did not come so far."""
    found = [match for text in told if (match := re.match(r"goes on from step (\d+)", text))]
    anew = any("starts anew" in text for text in told)
    return int(found[-1][1]) if found else (0 if anew else None)


def phase_of(run: RunFolder) -> str:
    phases = [e["phase"] for e in read_events(run.events_file) if "phase" in e]
    return phases[-1] if phases else "start"


def kill_until_finished(run: RunFolder, whole_s: float, left: int, counts: Counts) -> None:
    """Kill a training at most `left` times, and let it finish then."""
    reached = 0
    for number in range(left + 1):
        before = len(logs(run))
        after_s = random.uniform(0, whole_s) if number < left else float("inf")
        life = live(run, resume=number > 0, kill_after_s=after_s)
        start = resumed_from(logs(run)[before:])
        counts.resumed += start is not None
        counts.resumed_from_an_older_checkpoint += start is not None and start < reached
        reached = max(reached, life.reached)
        if life.finished:
            break
        counts.kills += 1
        counts.kills_while_writing += bool(unfinished(run))
        phase = phase_of(run)
        counts.killed_in_phase[phase] = counts.killed_in_phase.get(phase, 0) + 1
    counts.leftovers += len(unfinished(run))
    counts.checkpoints_found_damaged += sum("is damaged" in text for text in logs(run))


def measure(
    folder: Path, cases: CaseSet, counts: Counts, args: argparse.Namespace, tell: Callable[[], None]
) -> None:
    """Kill trainings until there are enough kills, or the time is up."""
    settings = {"generator": args.generator, "checkpoint_every_s": EVERY_STEP_S}
    whole = tiny_run(folder / "whole", cases, **settings)
    began = time.monotonic()
    whole_s = live(whole, resume=False).computed_s
    expected = final_learner(whole)
    while counts.kills < args.times and time.monotonic() - began < args.seconds:
        random.seed(f"{args.seed}, {counts.trainings_finished}")
        run = tiny_run(folder / f"run-{counts.trainings_finished}", cases, **settings)
        kill_until_finished(run, whole_s, args.times - counts.kills, counts)
        counts.trainings_finished += 1
        counts.trainings_that_differ += bool(differing(expected, final_learner(run)))
        shutil.rmtree(run.path)
        tell()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--generator", choices=("searchable", "none"), default="searchable")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    name = f"kill_training, generator {args.generator}"
    known = counts_so_far(name, asdict(Counts()))
    counts = Counts(**known) if known["kills"] < args.times else Counts()
    with TemporaryDirectory(prefix="genseg-kills-") as folder:
        cases = tiny_cases(Path(folder) / "cases")
        measure(Path(folder), cases, counts, args, lambda: write_counts(name, asdict(counts)))


if __name__ == "__main__":
    main()
