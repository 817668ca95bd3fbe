"""How time and memory grow with the number of cases, voxels, classes and channels.

    python Testing/Benchmarks/growth.py [--rounds 2] [--device cpu]

One thing grows at a time, from made-up cases on a small patch, with the preset's own networks: the
seconds in which a training is made ready (cases registered with each other), those of a joint step
with feedback and of a final step, and the process's peak memory. Each size has a process of its
own, forked, so that none pays for importing PyTorch; seconds are the processor's, of one thread.
The exponent is the slope of log(growth) against log(size): 1 is linear, 0 is constant. Writes
results/growth.json and, with charts, growth.html.
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
from clocks import seconds_of
from measuring import RESULTS, write_findings

from GenSegLib.config import TrainConfig
from GenSegLib.data.training_case import InMemoryCase
from GenSegLib.files import write_text
from GenSegLib.presets import load_preset
from GenSegLib.reports.charts import line_chart
from GenSegLib.reports.curves import Curve
from GenSegLib.training.learner import Learner

MEASURED = {
    "ready_s": "seconds until ready",
    "joint_s": "seconds of a joint step with feedback",
    "final_s": "seconds of a final step",
    "peak_gb": "peak memory (GB)",
}


@dataclass(frozen=True)
class Size:
    """What grows."""

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
    """Return the number that a chart shows."""
    if what == "voxels of a case":
        return size.side**3
    if what == "voxels of a patch":
        return int(np.prod(size.patch))
    return int(getattr(size, what))


def subject(size: Size, place: int) -> InMemoryCase:
    """Return noise with blocks of the classes side by side."""
    random = np.random.default_rng(place)
    label = np.zeros((size.side,) * 3, np.int64)
    quarter = size.side // 4
    middle = slice(quarter, 3 * quarter)
    for kind, part in enumerate(np.array_split(np.arange(quarter, 3 * quarter), size.classes - 1)):
        label[part[0] : part[-1] + 1, middle, middle] = kind + 1
    image = random.normal(size=(size.channels, *label.shape)) + label
    tensors = torch.from_numpy(image.astype(np.float32)), torch.from_numpy(label)
    return InMemoryCase(f"case {place}", *tensors, (1.0, 1.0, 1.0))


def measure(size: Size, rounds: int, device: str) -> dict[str, float]:
    """Return what a training of this size costs."""
    preset = replace(load_preset("hippocampus-mri"), patch_size=size.patch, channels=size.channels)
    config = TrainConfig.for_preset(preset, device=device)
    subjects = [subject(size, place) for place in range(size.cases)]
    learners: list[Learner] = []
    ready = seconds_of(
        lambda: learners.append(Learner(config, preset, subjects, 1, size.classes)),
        torch.device("cpu"),
    )
    learner = learners[0]
    learner.set_segmenter_rate(1.0)
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


def measured_apart(size: Size, rounds: int, device: str) -> dict[str, float]:
    """Measure in a process of its own, for its peak memory."""
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


def draw_charts(found: dict[str, list[dict[str, float]]]) -> None:
    charts = []
    for what, rows in found.items():
        amounts = [row["amount"] for row in rows]
        for name, title in MEASURED.items():
            values = [row[name] for row in rows]
            top = 1.1 * max(values)
            curve = Curve(title, amounts, values)
            charts.append(line_chart(f"{title} against {what}", [curve], y_limits=(0, top)))
    style = "body{font:14px sans-serif} polyline{fill:none;stroke-width:2} text{font-size:11px}"
    page = f'<!doctype html><meta charset="utf-8"><style>{style}</style>{"".join(charts)}'
    write_text(RESULTS / "growth.html", page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1)])  # imports seconds of PyTorch's code, here once for all
    found = {
        what: [
            {"amount": amount(size, what), **measured_apart(size, args.rounds, args.device)}
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
    draw_charts(found)
    print(write_findings("growth", {"exponents": exponents, "measured": found}))


if __name__ == "__main__":
    main()
