"""Sample training batches from many large cases with a limited address space.

    python limited_training.py ENTRY COUNT BYTES

Prints the memory that the cases would need.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch

from GenSegLib.augmentation.pairs import PairSampler, PairSettings
from GenSegLib.augmentation.patches import PatchSampler
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.spatial import SpatialStrength
from GenSegLib.data.case_cache import CacheEntry
from GenSegLib.data.case_loading import open_case

PATCH = (32, 32, 32)


def address_space() -> int:
    """Return the size of this process's address space in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def main(path: Path, count: int, more: int) -> None:
    torch.set_num_threads(1)
    limit = address_space() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    cases = [open_case(f"case {k}", CacheEntry(path), torch.device("cpu")) for k in range(count)]
    rng = RandomGenerator(0)
    pair_sampler = PairSampler(cases, 2, PATCH, rng, PairSettings(partners=1, coarse=12))
    for _ in range(3):
        PatchSampler(cases, PATCH).sample(rng, 4)
        pair_sampler.real_pairs(rng, 2)
        pair_sampler.blended_pairs(rng, 2, SpatialStrength())
    image = cases[0].image
    print(count * (image.nbytes + cases[0].label.nbytes + 3 * image.nbytes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
