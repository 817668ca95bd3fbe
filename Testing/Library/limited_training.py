"""Draws what training steps need from many large cases, in a process of limited memory.

    python limited_training.py FILE COUNT BYTES

Prints what the cases would take in memory, once all is drawn.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

from GenSegLib.augmentation.morphs import Morphs, MorphSettings
from GenSegLib.augmentation.patches import PatchSampler
from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.augmentation.spatial import SpatialStrength
from GenSegLib.data.array_file import ArrayFile
from GenSegLib.data.subjects import open_case

PATCH = (32, 32, 32)


def address_space() -> int:
    """The bytes of address space that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def main(path: Path, count: int, more: int) -> None:
    torch.set_num_threads(1)
    limit = address_space() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    cases = [open_case(f"case {k}", ArrayFile(path), torch.device("cpu")) for k in range(count)]
    rng = Randomness(torch.Generator().manual_seed(0))
    morphs = Morphs(cases, 2, PATCH, rng, MorphSettings(partners=1, coarse=12))
    for _ in range(3):
        PatchSampler(cases, PATCH).draw(rng, 4)
        morphs.real_pairs(rng, 2)
        morphs.blends(rng, 2, SpatialStrength())
    image = cases[0].image
    print(count * (image.nbytes + cases[0].label.nbytes + 3 * image.nbytes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
