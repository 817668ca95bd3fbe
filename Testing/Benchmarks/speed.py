"""Speed of the three-level engine compared with Betty (betty-ml), which the paper used.

    python Testing/Benchmarks/speed.py [--rounds 7] [--device cpu] [--threads 1]

Both take joint iterations on the same losses, networks, optimizers and batches, without data loading
and without the discriminator's step; the upper level steps every fourth iteration. They alternate in
one process; peak memory is that of a process of its own each. Betty has no autocast on a CPU and
computes in float32 there; a second variant runs it in GenSeg's precision, which the losses bring
along. Writes results/speed.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from feedback_cost import make_learner
from measuring import ROOT, interleaved, peer_python, write_result

from GenSegLib.training.learner import Learner

BETTY = ("betty-ml==0.2.1",)  # declares Python below 3.11, and runs on it


def genseg_iteration(learner: Learner) -> Callable[[], object]:
    """Return what takes one joint iteration on a batch that stays the same."""
    batches, step = learner.sampling.batches(), -1

    def iterate() -> None:
        nonlocal step
        step += 1
        learner.engine.iterate(step, learner._trilevel(batches))

    return iterate


def betty_iteration(learner: Learner, device: str) -> Callable[[], object]:
    """Return what takes one joint iteration by Betty's engine."""
    python = peer_python("betty", BETTY, options=("--ignore-requires-python", "--no-deps"))
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    sys.path.append(found.stdout.strip())  # the peer alone: PyTorch stays GenSeg's
    from speed_betty import betty_iteration as iteration

    return iteration(learner, learner.sampling.batches(), device)


def several(iterate: Callable[[], object], count: int) -> Callable[[], object]:
    """Return what takes as many iterations as lie between two steps of the upper level."""
    return lambda: [iterate() for _ in range(count)]


def make_iteration(engine: str, args: argparse.Namespace) -> tuple[Callable[[], object], Learner]:
    has_own = engine == "betty" and args.device == "cpu"
    learner = make_learner(args.data, args.device, precision="fp32" if has_own else "auto")
    torch.set_num_threads(args.threads)
    learner.engine.reuse_steps = engine != "genseg_look_ahead"
    of_betty = engine.startswith("betty")
    iterate = betty_iteration(learner, args.device) if of_betty else genseg_iteration(learner)
    return several(iterate, learner.config.upper_interval), learner


ENGINES = ("genseg", "genseg_look_ahead", "betty", "betty_same_precision")


def compare_with_betty(args: argparse.Namespace) -> dict[str, object]:
    ways = {engine: make_iteration(engine, args) for engine in ENGINES}
    learner = ways["genseg"][1]
    medians = interleaved({n: way for n, (way, _) in ways.items()}, args.rounds, learner.device)
    rates = {name: learner.config.upper_interval / seconds for name, seconds in medians.items()}
    memory = {engine: memory_of(engine, args) for engine in ENGINES}
    return {
        "iterations_per_s": {name: round(rate, 3) for name, rate in rates.items()},
        "peak_gb": memory,
        "ratio": round(rates["genseg"] / rates["betty"], 3),
        "ratio_same_precision": round(rates["genseg"] / rates["betty_same_precision"], 3),
        "ratio_looking_ahead": round(rates["genseg_look_ahead"] / rates["betty"], 3),
    }


def memory_of(engine: str, args: argparse.Namespace) -> float:
    """Return the peak memory of a process that only iterates with this engine, in GB."""
    shared = ("--data", args.data, "--device", args.device, "--threads", args.threads)
    command = [sys.executable, __file__, "--memory-of", engine, *map(str, shared)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.splitlines()[-1])


def print_memory(engine: str, args: argparse.Namespace) -> None:
    """Print the most memory that iterating takes, without the peak of making ready before."""
    iterate, learner = make_iteration(engine, args)
    if learner.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(learner.device)
        iterate()
        print(round(torch.cuda.max_memory_allocated(learner.device) / 2**30, 3))
        return
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # Linux forgets the peak
    iterate()
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    print(round(int(peak) / 2**20, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-of", choices=ENGINES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        print_memory(args.memory_of, args)
        return
    print(write_result("speed", {"threads": args.threads, "betty": compare_with_betty(args)}))


if __name__ == "__main__":
    main()
