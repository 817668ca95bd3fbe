"""Kills trainings at random moments and resumes them until they are finished.

    python Testing/Faults/kill_training.py [--times 200] [--seconds 240] [--generator searchable]

A training writes a checkpoint after each step here, the shortest interval there is. After each
kill the next process must go on from a sound checkpoint no older than one step before the last one
that was told; and the weights of a finished training must equal an uninterrupted one's to the bit.
Kills are spread evenly over the time that an uninterrupted training takes, its start included.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from findings import write_counts  # noqa: E402 - as the next ones, found by the path above
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
    resumed: int = 0
    resumed_from_an_older_checkpoint: int = 0
    checkpoints_found_damaged: int = 0
    trainings_finished: int = 0
    trainings_that_differ: int = 0
    killed_in_phase: dict[str, int] = field(default_factory=dict)


def last_step(run: RunFolder) -> int:
    """The last step that the run told."""
    return max(
        (event["step"] for event in read_events(run.events_file) if "step" in event), default=0
    )


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
    told = 0
    for life in range(left + 1):
        before = len(logs(run))
        after_s = random.uniform(0, whole_s) if life < left else float("inf")
        finished = live(run, resume=life > 0, kill_after_s=after_s)
        start = resumed_from(logs(run)[before:])
        counts.resumed += start is not None
        counts.resumed_from_an_older_checkpoint += start is not None and start < told - 1
        if finished:
            break
        counts.kills += 1
        told = last_step(run)
        phase = phase_of(run)
        counts.killed_in_phase[phase] = counts.killed_in_phase.get(phase, 0) + 1
    counts.checkpoints_found_damaged += sum("is damaged" in text for text in logs(run))


def measure(folder: Path, cases: CaseSet, times: int, seconds: float, generator: str) -> Counts:
    """Kill trainings so many times, or until the time is up."""
    settings = {"generator": generator, "checkpoint_every_s": EVERY_STEP_S}
    whole = tiny_run(folder / "whole", cases, **settings)
    began = time.monotonic()
    live(whole, resume=False)
    whole_s = time.monotonic() - began
    expected = final_learner(whole)
    counts = Counts()
    while counts.kills < times and time.monotonic() - began < seconds:
        run = tiny_run(folder / f"run-{counts.trainings_finished}", cases, **settings)
        kill_until_finished(run, whole_s, times - counts.kills, counts)
        counts.trainings_finished += 1
        counts.trainings_that_differ += bool(differing(expected, final_learner(run)))
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--generator", choices=("searchable", "none"), default="searchable")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    random.seed(args.seed)
    with TemporaryDirectory(prefix="genseg-kills-") as folder:
        cases = tiny_cases(Path(folder) / "cases")
        counts = measure(Path(folder), cases, args.times, args.seconds, args.generator)
    write_counts(f"kill_training, generator {args.generator}", vars(counts))


if __name__ == "__main__":
    main()
