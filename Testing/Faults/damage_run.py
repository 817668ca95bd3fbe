"""Cuts or zeroes the tail of each file of a stopped run, as a power loss does, and resumes it.

    python Testing/Faults/damage_run.py

Either the training goes on from what is sound and ends with the weights of an undamaged one, to
the bit, or one line says which file is damaged; a damaged checkpoint is said in any case. Each file
of the model of a finished run is harmed likewise, and must be refused by its checksum. The counts
are written after each file; called again at the same commit, the program goes on with the next.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from findings import counts_so_far, write_counts  # noqa: E402 - as the next ones, found by the path above
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
from GenSegLib.files import write_json  # noqa: E402
from GenSegLib.models.weights import load_segmenter  # noqa: E402
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


def model_outcome(run: Path, name: str, how: str) -> str:
    """Harm a file of a run's model, load it, and say in a few words what came."""
    harm(run / name, how)
    try:
        load_segmenter(run / "model")
    except GenSegError as fault:
        named = Path(name).name in str(fault) and "\n" not in str(fault)
        return "refused in one line that names it" if named else f"refused with: {fault}"
    return "a damaged model was loaded"


def damage(base: Path, name: str, expected: dict, scratch: Path) -> Counter[str]:
    """Harm a file of a copied run in each way, and count what came."""
    found: Counter[str] = Counter()
    for how in HARMS:
        run = Path(shutil.copytree(base, scratch / "run"))
        in_model = name.startswith("model/")
        found[model_outcome(run, name, how) if in_model else outcome(run, name, how, expected)] += 1
        shutil.rmtree(run)
    return found


def main() -> None:
    none: dict[str, Any] = {"files": {}, "outcomes": {}}
    counts = counts_so_far("damage_run", none)
    with TemporaryDirectory(prefix="genseg-damage-") as temporary:
        folder = Path(temporary)
        cases = tiny_cases(folder / "cases")
        settings = {"generator": "none", "checkpoint_every_s": EVERY_STEP_S}
        whole = trained(tiny_run(folder / "whole", cases, **settings))
        base = stopped(tiny_run(folder / "base", cases, **settings), at=10).path
        write_json(base / "feedback.json", {"rejected_pairs": [], "rejected_kinds": {}})
        expected = final_learner(whole)
        for name in [*files_of(base), *(f"model/{file}" for file in files_of(whole.model))]:
            if name in counts["files"]:
                continue
            start = whole.path if name.startswith("model/") else base
            counts["files"][name] = dict(damage(start, name, expected, folder))
            outcomes = sum(map(Counter, counts["files"].values()), Counter())
            counts["outcomes"] = dict(outcomes)
            write_counts("damage_run", counts)


def files_of(folder: Path) -> list[str]:
    """All files below a folder, named from it."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return [file.relative_to(folder).as_posix() for file in files]


if __name__ == "__main__":
    main()
