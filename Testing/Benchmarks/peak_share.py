"""What share of the device's peak and of its memory's bandwidth each kind of training step reaches.

    python Testing/Benchmarks/peak_share.py [--data DIR] [--device cpu] [--threads 1] [--rounds 5]

Both peaks are measured here: the fastest product of two large matrices in the number format of the
training, and the fastest sum of two large arrays. A step's arithmetic is that of its convolutions
and matrix products, as PyTorch counts it; its traffic, what every operation reads and writes, as if
no cache kept anything between two of them. So a share of the bandwidth may pass 1 where one does.
Writes results/peak_share.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from clocks import interleaved
from feedback_cost import make_learner
from measuring import ROOT, write_findings
from step_operations import is_launched, steps_of
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from GenSegLib.computing.devices import choose_precision

# large enough for the device to be busy, small enough for a laptop
SIDES = {"cpu": 2048, "cuda": 16384, "mps": 4096}
BYTES_EACH = 2**28


@dataclass(frozen=True)
class Work:
    """What there is to do: arithmetic in FLOP, traffic in bytes."""

    flop: float
    traffic: float


class Tally(TorchDispatchMode):
    """Adds up what the operations of a block do."""

    def __init__(self) -> None:
        super().__init__()
        self.flop, self.traffic = 0.0, 0.0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        found = function(*args, **kwargs)
        if function._overloadpacket in flop_registry:
            self.flop += flop_registry[function._overloadpacket](*args, **kwargs, out_val=found)
        if is_launched(function):
            touched = [each for each in tree_leaves((args, kwargs, found)) if torch.is_tensor(each)]
            self.traffic += sum(each.numel() * each.element_size() for each in touched)
        return found


def work_of(step: Callable[[], object]) -> Work:
    """Return what a step does."""
    with Tally() as tally:
        step()
    return Work(tally.flop, tally.traffic)


def peaks(device: torch.device, rounds: int) -> Work:
    """Return what the device does in a second at most."""
    side = SIDES[device.type]
    matrices = torch.randn(2, side, side, device=device)
    arrays = torch.ones(3, BYTES_EACH // 4, device=device)

    def multiply() -> None:
        with choose_precision(device, "auto")():
            torch.mm(*matrices)

    def add() -> None:
        torch.add(arrays[0], arrays[1], out=arrays[2])

    seconds = interleaved({"multiply": multiply, "add": add}, rounds, device)
    return Work(2 * side**3 / seconds["multiply"], 3 * BYTES_EACH / seconds["add"])


def share(work: Work, seconds: float, peak: Work) -> dict[str, float]:
    """Return what a step reaches of the peaks."""
    return {
        "seconds": round(seconds, 4),
        "gflop": round(work.flop / 1e9, 2),
        "traffic_gb": round(work.traffic / 1e9, 2),
        "share_of_peak": round(work.flop / seconds / peak.flop, 3),
        "share_of_bandwidth": round(work.traffic / seconds / peak.traffic, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    learner = make_learner(args.data, args.device, threads=args.threads)
    steps = steps_of(learner)
    peak = peaks(learner.device, args.rounds)
    works = {name: work_of(step) for name, step in steps.items()}
    seconds = interleaved(steps, args.rounds, learner.device)
    found: dict[str, object] = {
        "device": str(learner.device),
        "threads": args.threads,
        "peak_gflop_per_s": round(peak.flop / 1e9, 1),
        "bandwidth_gb_per_s": round(peak.traffic / 1e9, 1),
        **{name: share(works[name], seconds[name], peak) for name in steps},
    }
    print(write_findings("peak_share", found))


if __name__ == "__main__":
    main()
