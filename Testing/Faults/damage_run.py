"""Cuts or zeroes the tail of each file of a stopped run, as a power loss does, and resumes it.

    python Testing/Faults/damage_run.py

Either the training goes on from what is sound and ends with the weights of an undamaged one, to
the bit, or one line says which file is damaged; a damaged checkpoint is said in any case.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from findings import write_counts  # noqa: E402 - as the next ones, found by the path above
from tiny_training import (  # noqa: E402
    EVERY_STEP_S,
    final_learner,
    logs,
    stopped,
    tiny_cases,
    tiny_run,
    trained,
)

from GenSegLib.errors import GenSegError  # noqa: E402
from GenSegLib.reports import write_report  # noqa: E402
from GenSegLib.runs import RunFolder  # noqa: E402
from Testing.training_states import differing  # noqa: E402

HARMS = ("cut in half", "last 40 bytes cut", "last 40 bytes zero", "last half zero", "emptied")


def harm(path: Path, how: str) -> None:
    """Leave of a file what a power loss may leave of it."""
    data = path.read_bytes()
    half, last = len(data) // 2, max(0, len(data) - 40)
    left = {
        "cut in half": data[:half],
        "last 40 bytes cut": data[:last],
        "last 40 bytes zero": data[:last] + bytes(len(data) - last),
        "last half zero": data[:half] + bytes(len(data) - half),
        "emptied": b"",
    }
    path.write_bytes(left[how])


def outcome(run: Path, name: str, how: str, expected: dict) -> str:
    """Harm a file of a run, go on with it, write its report, and say in a few words what came."""
    harm(run / name, how)
    try:
        folder = RunFolder.open(run)
        trained(folder, resume=True)
        write_report(folder)
    except GenSegError as fault:
        named = Path(name).name in str(fault) and "\n" not in str(fault)
        return "refused in one line that names it" if named else f"refused with: {fault}"
    if differing(expected, final_learner(folder)):
        return "other weights"
    said = any(f"{Path(name).name} is damaged" in text for text in logs(folder))
    return "the same weights, the damage said" if said else "the same weights"


def main() -> None:
    counts: Counter[str] = Counter()
    odd: list[str] = []
    with TemporaryDirectory(prefix="genseg-damage-") as temporary:
        folder = Path(temporary)
        cases = tiny_cases(folder / "cases")
        settings = {"generator": "none", "checkpoint_every_s": EVERY_STEP_S}
        expected = final_learner(trained(tiny_run(folder / "whole", cases, **settings)))
        base = stopped(tiny_run(folder / "base", cases, **settings), at=10).path
        files = [file.relative_to(base) for file in sorted(base.rglob("*")) if file.is_file()]
        for name in files:
            for how in HARMS:
                shutil.copytree(base, folder / "run")
                found = outcome(folder / "run", name.as_posix(), how, expected)
                counts[found] += 1
                if not found.startswith(("the same", "refused in one line that")):
                    odd.append(f"{name}, {how}: {found}")
                shutil.rmtree(folder / "run")
    found = {"files": [name.as_posix() for name in files], "harms": list(HARMS)}
    write_counts("damage_run", {**found, "outcomes": dict(counts), "neither": odd})


if __name__ == "__main__":
    main()
