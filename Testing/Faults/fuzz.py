"""Reads thousands of harmed inputs of each kind, and counts what comes of them.

    python Testing/Faults/fuzz.py [--count 1000] [--seconds 20] [--only NAME]

Each outcome must be a result or a GenSegError of one line: no other exception, no crash, no more
than 10 seconds of a core, no more than 2 GB beyond what the process has, and no file outside the
input's own folder. `count` and `seconds` are for each kind of input; the first that is reached ends
it. Called again at the same commit, the program leaves out the kinds that are done.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from findings import all_counts, counts_so_far, write_counts  # noqa: E402 - as the next ones, found by the path above
from inputs import INPUTS, Input  # noqa: E402

from GenSegLib.errors import GenSegError  # noqa: E402

LONGEST_S, MOST_BYTES, BATCH = 10, 2 << 30, 200
SILENT_S = 120  # on a busy machine, where nothing is computed


@dataclass
class Counts:
    """What came of the inputs of one kind; `bugs` tells the seed of each."""

    tried: int = 0
    read: int = 0
    refused: int = 0
    bugs: list[str] = field(default_factory=list)


def one(kind: Input, seed: int, folder: Path) -> str:
    """Try one input; give "read", "refused" or what is wrong."""
    own = folder / "own"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    before = {path.name for path in folder.iterdir()}
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    signal.alarm(SILENT_S)
    try:
        kind.attempt(own, random.Random(seed))
        found = "read"
    except GenSegError as fault:
        found = "refused" if "\n" not in str(fault) else f"several lines: {fault!r}"
    except BaseException as fault:
        place = traceback.extract_tb(fault.__traceback__)[-1]
        found = f"{fault!r} in {Path(place.filename).name}:{place.lineno}"[:300]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    left = {path.name for path in folder.iterdir()} - {*before, "sound-run"}
    return f"wrote {left}" if left else found


def batch(kind: Input, seeds: range, folder: Path, log: Path) -> None:
    """Try a batch in a process of its own, whose outcomes are lines of a file."""
    process = os.fork()
    if process:
        os.waitpid(process, 0)
        return
    with log.open("w") as stream:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES, used + MOST_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 2)
        for seed in seeds:
            stream.write(f"{one(kind, seed, folder)!r}\n")
            stream.flush()
    os._exit(0)


def fuzz(kind: Input, count: int, seconds: float, folder: Path) -> Counts:
    """Try inputs of one kind; a crash counts for the input at which its process died."""
    counts, end = Counts(), time.monotonic() + seconds
    log = folder.with_suffix(".log")
    while counts.tried < count and time.monotonic() < end:
        seeds = range(counts.tried, min(counts.tried + BATCH, count))
        batch(kind, seeds, folder, log)
        outcomes = [line[1:-1] for line in log.read_text(encoding="utf-8").splitlines()]
        if len(outcomes) < len(seeds):
            outcomes.append("crashed, hung or ran out of memory")
        for seed, found in zip(seeds, outcomes):
            counts.tried += 1
            counts.read += found == "read"
            counts.refused += found == "refused"
            if found not in ("read", "refused"):
                counts.bugs.append(f"seed {seed}: {found}")
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    with TemporaryDirectory(prefix="genseg-fuzz-") as temporary:
        for number, kind in enumerate(INPUTS):
            done = Counts(**counts_so_far(f"fuzz, {kind.name}", asdict(Counts())))
            if args.only in kind.name and done.tried < args.count:
                folder = Path(temporary) / str(number)
                folder.mkdir()
                counts = fuzz(kind, args.count, args.seconds, folder)
                write_counts(f"fuzz, {kind.name}", asdict(counts))
    kinds = [counts for name, counts in all_counts().items() if name.startswith("fuzz, ")]
    tried = sum(counts["tried"] for counts in kinds)
    write_counts("all fuzz", {"tried": tried, "bugs": sum(len(c["bugs"]) for c in kinds)})


if __name__ == "__main__":
    main()
