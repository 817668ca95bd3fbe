"""What mixing a cell's candidates as one convolution saves, against one by one.

    python Testing/Benchmarks/cell_speed.py [--rounds 7] [--size 64]

Both ways take turns in one process, forward and backward, for each cell of the generator at its
place in patches of SIZE^3 voxels, in bfloat16 and in float32. Seconds are this thread's own.
Writes results/cell_speed.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial

import torch
from clocks import interleaved
from measuring import write_findings

from GenSegLib.computing.devices import to_device
from GenSegLib.networks.cells import SearchableCell
from GenSegLib.networks.generator import Generator
from GenSegLib.networks.image_generator import Design

BATCH = 2
SHRUNK = {"encoder 0": 1, "encoder 1": 2, "decoder 0": 4, "decoder 1": 2}


def one_by_one(cell: SearchableCell, features: torch.Tensor) -> torch.Tensor:
    """Return what the cell gives, computed candidate by candidate."""
    shares = torch.softmax(cell.architecture, dim=0)
    outputs = [share * operation(features) for share, operation in zip(shares, cell.operations)]
    return cell.activate(torch.stack(outputs).sum(dim=0))


def step(
    way: Callable[[torch.Tensor], torch.Tensor],
    features: torch.Tensor,
    weights: Sequence[torch.Tensor],
) -> None:
    """Compute a cell, and the gradients to its input and its weights."""
    with torch.autocast("cpu", torch.bfloat16, enabled=features.dtype == torch.bfloat16):
        output = way(features)
    torch.autograd.grad(output, [features, *weights], torch.ones_like(output))


def measure(generator: Generator, size: int, rounds: int, dtype: torch.dtype) -> dict[str, object]:
    """Return the seconds of each cell in both ways, and how one by one compares in all."""
    found: dict[str, object] = {}
    total = {"mixed": 0.0, "one_by_one": 0.0}
    for place, cell in generator.cells().items():
        first = cell.operations[0].weight
        channels = first.shape[0 if place.startswith("decoder") else 1]
        length = size // SHRUNK[place]
        features = torch.randn(BATCH, channels, *[length] * 3, dtype=dtype)
        features = features.contiguous(memory_format=torch.channels_last_3d).requires_grad_()
        ways = {"mixed": cell.forward, "one_by_one": partial(one_by_one, cell)}
        steps = {
            name: partial(step, way, features, [*cell.parameters()]) for name, way in ways.items()
        }
        seconds = interleaved(steps, rounds, torch.device("cpu"))
        found[place] = {name: round(each, 4) for name, each in seconds.items()}
        total = {name: total[name] + seconds[name] for name in total}
    return {**found, "one_by_one_against_mixed": round(total["one_by_one"] / total["mixed"], 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)
    generator = Generator(Design(2, coordinates=True))
    to_device(generator, torch.device("cpu"))
    kinds = {"bfloat16": torch.bfloat16, "float32": torch.float32}
    found = {
        name: measure(generator, args.size, args.rounds, dtype) for name, dtype in kinds.items()
    }
    print(write_findings("cell_speed", {"size": args.size, **found}))


if __name__ == "__main__":
    main()
