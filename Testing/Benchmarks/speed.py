"""GenSeg's speed beside its peers': nnU-Net's trainer and Betty's engine.

    python Testing/Benchmarks/speed.py [--rounds 7] [--device cpu] [--threads 1]

Each peer runs in an environment of its own, which is made when it is missing, and takes turns with
GenSeg on the same machine: steps of the same size, networks, patch, batch and device; medians.
nnU-Net: a training step of its own trainer against one of GenSeg's segmenter, both without drawing
the batch. Betty: a joint iteration of the same three problems, without drawing the batch and
without the adversary's step, the upper level's every fourth; memory of a process each. Peers
compute in the number format that they have on the device (float32 on a CPU: Betty's autocast is
CUDA's alone); Betty once more in GenSeg's, which its losses then bring along.
Writes results/speed.json; the cost of feedback there is the one of results/feedback_cost.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from clocks import interleaved, seconds_of
from feedback_cost import make_learner
from measuring import RESULTS, ROOT, write_findings
from peer_environment import NNUNET, peer_python

from GenSegLib.training.learner import Learner

BETTY = ("betty-ml==0.2.1",)  # declares Python below 3.11, and runs on it
HERE = Path(__file__).parent


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


def against_betty(args: argparse.Namespace) -> dict[str, object]:
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


@contextmanager
def nnunet_step(learner: Learner, args: argparse.Namespace) -> Iterator[Callable[[], float]]:
    """Give what takes a step of nnU-Net's trainer and returns its seconds."""
    network, config = learner.arguments, learner.config
    asked = {
        "batch": config.batch_size,
        "patch": list(learner.patch_size),
        "filters": network["filters"],
        "strides": network["strides"],
        "classes": learner.classes,
        "device": args.device,
        "threads": args.threads,
    }
    python = peer_python("nnunet", NNUNET)
    command = [python, HERE / "speed_nnunet.py", json.dumps(asked)]
    folder = tempfile.TemporaryDirectory(prefix="genseg-nnunet-")
    places = {f"nnUNet_{n}": f"{folder.name}/{n}" for n in ("raw", "preprocessed", "results")}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **places},
    )
    assert process.stdin is not None and process.stdout is not None
    told, answers = process.stdin, process.stdout
    print(f"nnU-Net's network has {int(answers.readline())} weights", flush=True)

    def step() -> float:
        told.write("step\n")
        told.flush()
        return float(answers.readline())

    try:
        yield step
    finally:
        told.close()
        process.wait()
        folder.cleanup()


def against_nnunet(args: argparse.Namespace) -> dict[str, object]:
    learner = make_learner(args.data, args.device)
    torch.set_num_threads(args.threads)
    images, labels = learner.sampling.real(held_back=False)

    def own_step() -> None:
        learner.engine.middle.descend(learner.problem.real_loss(images, labels))
        learner.average.update(learner.problem.middle_parameters())

    weights = sum(p.numel() for p in learner.problem.middle_parameters())
    with nnunet_step(learner, args) as peer_step:
        pairs = [
            (seconds_of(own_step, learner.device), peer_step()) for _ in range(args.rounds + 2)
        ]
    medians = [sorted(each)[len(each) // 2] for each in zip(*pairs[2:])]
    rates = [learner.config.batch_size / seconds for seconds in medians]
    return {
        "weights": weights,
        "samples_per_s": {"genseg": round(rates[0], 2), "nnunet": round(rates[1], 2)},
        "ratio": round(rates[0] / rates[1], 3),
    }


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
    feedback = json.loads((RESULTS / "feedback_cost.json").read_text(encoding="utf-8"))
    betty = against_betty(args)
    print(betty, flush=True)
    nnunet = against_nnunet(args)
    ratios = {
        "feedback_cost": feedback["look_back"]["three_level_over_two_level"],
        "feedback_cost_looking_ahead": feedback["look_ahead"]["three_level_over_two_level"],
        "samples_per_s_vs_nnunet": nnunet["ratio"],
        "iterations_per_s_vs_betty": betty["ratio"],
        "iterations_per_s_vs_betty_same_precision": betty["ratio_same_precision"],
        "iterations_per_s_vs_betty_looking_ahead": betty["ratio_looking_ahead"],
    }
    found = {"ratios": ratios, "threads": args.threads, "nnunet": nnunet, "betty": betty}
    print(write_findings("speed", found))


if __name__ == "__main__":
    main()
