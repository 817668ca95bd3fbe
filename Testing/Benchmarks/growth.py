"""How time and memory grow with the number of cases, voxels, classes and channels.

    python Testing/Benchmarks/growth.py [--rounds 2] [--device cpu]

One size is varied at a time, on synthetic cases with the networks of the preset. Measured are the
seconds to set up a training (cases are registered with each other), those of a joint step with
feedback and of a final step, and the peak memory. Every size runs in a forked process of its own;
seconds are CPU seconds of one thread. The exponent is the slope of log(cost) against log(size): 1
is linear, 0 is constant. Writes results/growth.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from measuring import seconds_of, write_result

from GenSegLib.config import TrainConfig
from GenSegLib.data.training_case import InMemoryCase
from GenSegLib.presets import load_preset
from GenSegLib.training.learner import Learner

MEASURED = ("ready_s", "joint_s", "final_s", "peak_gb")


@dataclass(frozen=True)
class Size:
    """One problem size."""

    cases: int = 6
    side: int = 32
    patch: tuple[int, int, int] = (16, 16, 16)
    classes: int = 3
    channels: int = 1


GROWTH = {
    "cases": [Size(cases=n) for n in (4, 8, 16, 32)],
    "voxels of a case": [Size(side=n) for n in (24, 32, 48, 64)],
    "voxels of a patch": [Size(patch=p) for p in ((16, 16, 16), (32, 16, 16), (32, 32, 16))],
    "classes": [Size(classes=n) for n in (2, 4, 8, 16)],
    "channels": [Size(channels=n) for n in (1, 2, 4, 8)],
}


def amount(size: Size, what: str) -> int:
    """Return the size as a number."""
    if what == "voxels of a case":
        return size.side**3
    if what == "voxels of a patch":
        return int(np.prod(size.patch))
    return int(getattr(size, what))


def make_case(size: Size, number: int) -> InMemoryCase:
    """Return a noise image with one block per class."""
    random = np.random.default_rng(number)
    label = np.zeros((size.side,) * 3, np.int64)
    quarter = size.side // 4
    middle = slice(quarter, 3 * quarter)
    for index, part in enumerate(np.array_split(np.arange(quarter, 3 * quarter), size.classes - 1)):
        label[part[0] : part[-1] + 1, middle, middle] = index + 1
    image = random.normal(size=(size.channels, *label.shape)) + label
    tensors = torch.from_numpy(image.astype(np.float32)), torch.from_numpy(label)
    return InMemoryCase(f"case {number}", *tensors, (1.0, 1.0, 1.0))


def measure(size: Size, rounds: int, device: str) -> dict[str, float]:
    """Return the cost of a training of this size."""
    preset = replace(load_preset("hippocampus-mri"), patch_size=size.patch, channels=size.channels)
    config = TrainConfig.for_preset(preset, device=device)
    cases = [make_case(size, number) for number in range(size.cases)]
    learners: list[Learner] = []
    ready = seconds_of(
        lambda: learners.append(Learner(config, preset, cases, 1, size.classes)),
        torch.device("cpu"),
    )
    learner = learners[0]
    learner.set_segmenter_lr(1.0)
    steps = {
        "joint_s": lambda: learner.joint_step(config.upper_interval - 1),
        "final_s": learner.final_step,
    }
    found = {"ready_s": ready}
    for name, step in steps.items():
        seconds = [seconds_of(step, learner.device) for _ in range(rounds + 1)]
        found[name] = statistics.median(seconds[1:])
    found["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {name: round(value, 4) for name, value in found.items()}


def measure_in_subprocess(size: Size, rounds: int, device: str) -> dict[str, float]:
    """Measure in a forked process, so that peak memory is that of this size alone."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        process = os.fork()
        if process == 0:
            try:
                answer.write_text(json.dumps(measure(size, rounds, device)), encoding="utf-8")
            finally:
                os._exit(0)
        os.waitpid(process, 0)
        return json.loads(answer.read_text(encoding="utf-8"))


def exponent(amounts: list[int], values: list[float]) -> float:
    """Return the slope of log(value) against log(amount)."""
    return round(float(np.polyfit(np.log(amounts), np.log(values), 1)[0]), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1)])  # imports PyTorch modules before forking
    found = {
        what: [
            {"amount": amount(size, what), **measure_in_subprocess(size, args.rounds, args.device)}
            for size in sizes
        ]
        for what, sizes in GROWTH.items()
    }
    exponents = {
        what: {
            name: exponent([row["amount"] for row in rows], [row[name] for row in rows])
            for name in MEASURED
        }
        for what, rows in found.items()
    }
    print(write_result("growth", {"exponents": exponents, "measured": found}))


if __name__ == "__main__":
    main()
