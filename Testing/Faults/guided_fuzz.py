"""Harms inputs where it leads deeper into the readers: atheris, that is libFuzzer, for Python.

    python -m pip install -e '.[fuzz]'
    python Testing/Faults/guided_fuzz.py [--runs 20000]

The first byte of an input picks its kind, the others are the content of its file. What comes of
it must be a result or a GenSegError of one line; atheris stops at the first that is something else,
takes longer than 10 seconds or more than 4 GB, and leaves the input beside this file.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
from mmap import mmap
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

with atheris.instrument_imports(include=["GenSegLib"]):
    from findings import write_counts
    from inputs import INPUTS

    from GenSegLib.errors import GenSegError

_TRIED, _READ = 0, 8
COUNTS = mmap(-1, 16)  # shared with the forked process, whose end is the end of atheris


def count(place: int) -> None:
    struct.pack_into("q", COUNTS, place, struct.unpack_from("q", COUNTS, place)[0] + 1)


def try_one(folder: Path, data: bytes) -> None:
    """Read one input; whatever is raised but a GenSegError of one line ends the search."""
    if not data:
        return
    count(_TRIED)
    number = data[0] % len(INPUTS)
    try:
        INPUTS[number].replace(folder / str(number), data[1:])
        count(_READ)
    except GenSegError as fault:
        if "\n" in str(fault):
            raise RuntimeError("several lines") from fault


def search(folder: Path, runs: int) -> None:
    """Let atheris try inputs; it ends the process."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, kind in enumerate(INPUTS):
        own = folder / str(number)
        own.mkdir()
        kind.make(own)
        sound = (own / kind.file).read_bytes()
        (corpus / str(number)).write_bytes(bytes([number]) + sound)
    limits = ["-timeout=10", "-rss_limit_mb=4096", "-max_len=8192"]
    output = f"-artifact_prefix={Path(__file__).parent}/found-"
    atheris.Setup(
        [sys.argv[0], str(corpus), f"-runs={runs}", *limits, output],
        lambda data: try_one(folder, data),
    )
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20_000)
    args = parser.parse_args()
    with TemporaryDirectory(prefix="genseg-guided-") as temporary:
        process = os.fork()
        if process == 0:
            search(Path(temporary), args.runs)
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    tried, read = struct.unpack("qq", COUNTS[:])
    counts = {
        "tried": tried,
        "read": read,
        "refused": tried - read - bool(code),
        "bugs": bool(code),
    }
    write_counts("guided_fuzz", counts)
    return code


if __name__ == "__main__":
    sys.exit(main())
