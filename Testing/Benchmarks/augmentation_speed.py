"""What the augmentation of a batch costs against the training step, and against MONAI's way.

    python Testing/Benchmarks/augmentation_speed.py [--data DIR] [--rounds 20]

All three alternate in one process. The obvious way is a chain of MONAI's dictionary transforms,
one sample at a time, of about the same strength. Writes results/augmentation_speed.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from feedback_cost import make_learner
from measuring import ROOT, write_findings
from monai.transforms import (
    Compose,
    Rand3DElasticd,
    RandAdjustContrastd,
    RandBiasFieldd,
    RandGaussianNoised,
    RandGaussianSmoothd,
)


def one_sample_at_a_time(size: tuple[int, ...]) -> Compose:
    both = ("image", "label")
    elastic = Rand3DElasticd(
        both, (4, 6), (20, 60), prob=0.9, rotate_range=0.3, scale_range=0.2,
        spatial_size=size, mode=("bilinear", "nearest"), padding_mode="border",
    )  # fmt: skip
    changes = (RandAdjustContrastd, RandGaussianNoised, RandGaussianSmoothd, RandBiasFieldd)
    return Compose([elastic, *(change("image", prob=0.3) for change in changes)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    learner = make_learner(args.data)
    images, labels = learner.sampling.real(held_back=False)
    chain = one_sample_at_a_time(tuple(images.shape[2:]))

    def transforms() -> None:
        for image, label in zip(images, labels):
            chain({"image": image, "label": label})

    def network() -> None:
        learner.engine.middle.descend(learner.problem.real_loss(images, labels))

    ways: dict[str, Callable[[], object]] = {
        "batched_s": lambda: learner.sampling.real(held_back=False),
        "one_sample_at_a_time_s": transforms,
        "network_step_s": network,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: round(statistics.median(values), 4) for name, values in seconds.items()}
    step = medians["network_step_s"]
    found = {
        **medians,
        "batched_over_network": round(medians["batched_s"] / step, 3),
        "one_at_a_time_over_network": round(medians["one_sample_at_a_time_s"] / step, 3),
        "batch": list(images.shape),
        "threads": torch.get_num_threads(),
    }
    print(write_findings("augmentation_speed", found))


if __name__ == "__main__":
    main()
