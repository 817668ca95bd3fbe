"""Speed of the three-level engine compared with Betty (betty-ml), which the paper used.

    python Testing/Benchmarks/speed.py [--rounds 7] [--device cpu] [--threads 1]

Both take joint iterations on the same losses, networks, optimizers and batches, without data
loading and without the discriminator's step; the upper level steps every fourth iteration. They
alternate in one process; peak memory is measured in separate processes. Betty has no autocast on
CPUs and computes in float32 there; a second variant uses the precision of GenSeg's losses. Writes
results/speed.json.
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

BETTY = ("betty-ml==0.2.1",)  # declares Python below 3.11 but runs on later versions


def genseg_iteration(learner: Learner) -> Callable[[], object]:
    """Return what takes one joint iteration on a batch that stays the same."""
    batches, step = learner.sampler.trilevel_batch(), -1

    def iterate() -> None:
        nonlocal step
        step += 1
        learner.engine.iterate(step, learner.trilevel(batches))

    return iterate


def betty_iteration(learner: Learner, device: str) -> Callable[[], object]:
    """Return a function that takes one joint iteration by Betty's engine."""
    python = peer_python("betty", BETTY, options=("--ignore-requires-python", "--no-deps"))
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    sys.path.append(found.stdout.strip())  # after GenSeg's packages, so that PyTorch is the same
    from speed_betty import betty_iteration as iteration

    return iteration(learner, learner.sampler.trilevel_batch(), device)


def repeated(iterate: Callable[[], object], count: int) -> Callable[[], object]:
    """Return a function that takes several iterations."""
    return lambda: [iterate() for _ in range(count)]


def make_iteration(engine: str, args: argparse.Namespace) -> tuple[Callable[[], object], Learner]:
    is_float32 = engine == "betty" and args.device == "cpu"
    learner = make_learner(args.data, args.device, precision="fp32" if is_float32 else "auto")
    torch.set_num_threads(args.threads)
    learner.engine.reuse_steps = engine != "genseg_virtual_steps"
    is_betty = engine.startswith("betty")
    iterate = betty_iteration(learner, args.device) if is_betty else genseg_iteration(learner)
    return repeated(iterate, learner.config.upper_interval), learner


ENGINES = ("genseg", "genseg_virtual_steps", "betty", "betty_same_precision")


def compare_with_betty(args: argparse.Namespace) -> dict[str, object]:
    variants = {engine: make_iteration(engine, args) for engine in ENGINES}
    learner = variants["genseg"][1]
    medians = interleaved(
        {n: variant for n, (variant, _) in variants.items()}, args.rounds, learner.device
    )
    rates = {name: learner.config.upper_interval / seconds for name, seconds in medians.items()}
    memory = {engine: memory_of(engine, args) for engine in ENGINES}
    return {
        "iterations_per_s": {name: round(rate, 3) for name, rate in rates.items()},
        "peak_gb": memory,
        "ratio": round(rates["genseg"] / rates["betty"], 3),
        "ratio_same_precision": round(rates["genseg"] / rates["betty_same_precision"], 3),
        "ratio_virtual_steps": round(rates["genseg_virtual_steps"] / rates["betty"], 3),
    }


def memory_of(engine: str, args: argparse.Namespace) -> float:
    """Return the peak memory in GB of a process that only iterates with this engine."""
    shared = ("--data", args.data, "--device", args.device, "--threads", args.threads)
    command = [sys.executable, __file__, "--memory-of", engine, *map(str, shared)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.splitlines()[-1])


def print_memory(engine: str, args: argparse.Namespace) -> None:
    """Print the peak memory of the iterations, without that of the setup."""
    iterate, learner = make_iteration(engine, args)
    if learner.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(learner.device)
        iterate()
        print(round(torch.cuda.max_memory_allocated(learner.device) / 2**30, 3))
        return
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets the peak
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
