"""What the arms of core_accuracy.py are worth on scans that look otherwise than the labelled ones.

    python Testing/Benchmarks/scanner_shift.py [--runs DIR] [--seeds 0 1 2] [--arms genseg ...]

The protocol's 48 test cases are segmented as they are and as another scanner might have shown them:
noisier, smoother, in slices three times as thick, with a stronger coil field, with another
contrast. The changes are drawn from one seed, the same for every arm. Reports the mean Dice by arm
and change, and GenSeg's gains case by case with the paired test. Writes
results/scanner_shift.json. Needs the runs of core_accuracy.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from core_accuracy import ARMS, ROOT, test_images, write_findings
from scipy.stats import wilcoxon

from GenSegLib.augmentation.intensity import bias_field, gaussian_blur, low_resolution, noise
from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.image_io import Volume, read_image, read_label
from GenSegLib.metrics import case_scores
from GenSegLib.predictor import Predictor

Change = Callable[[torch.Tensor, Randomness], torch.Tensor]


def other_contrast(images: torch.Tensor, rng: Randomness) -> torch.Tensor:
    """Raise the range of each image to a power of one half or two."""
    low, high = images.min(), images.max()
    power = 0.5 if rng.integers(2, 1)[0] else 2.0
    return ((images - low) / (high - low)) ** power


SHIFTS: dict[str, Change] = {
    "none": lambda images, rng: images,
    "noise": lambda images, rng: noise(images, 1.0, rng),
    "smooth": lambda images, rng: gaussian_blur(images, 1.2),
    "thick slices": lambda images, rng: low_resolution(images, 3.0),
    "coil": lambda images, rng: bias_field(images, 0.6, rng),
    "contrast": other_contrast,
}


def shifted(image: Volume, shift: str, seed: int) -> Volume:
    """Return an image with mean 0 and deviation 1, changed."""
    voxels = torch.from_numpy(np.ascontiguousarray(image.array, np.float32))[None]
    voxels = (voxels - voxels.mean()) / voxels.std()
    rng = Randomness(torch.Generator().manual_seed(seed))
    return Volume(SHIFTS[shift](voxels, rng)[0].numpy(), image.affine)


def score(predictor: Predictor, data: Path, seed: int) -> dict[str, list[float]]:
    """Return each test case's mean Dice, by shift."""
    found: dict[str, list[float]] = {shift: [] for shift in SHIFTS}
    for number, path in enumerate(test_images(data, seed)):
        image, reference = read_image(path), read_label(data / "labelsTr" / path.name)
        for shift in SHIFTS:
            label = predictor.predict(shifted(image, shift, number)).label
            scores = case_scores(label.array[0], reference.array[0], (1, 2), image.spacing)
            found[shift].append(float(np.mean([each.dice for each in scores])))
    return found


def against(ours: list[float], theirs: list[float]) -> dict[str, float]:
    gains = np.subtract(ours, theirs)
    return {
        "mean_gain": round(float(gains.mean()), 4),
        "better_in": int((gains > 0).sum()),
        "cases": len(gains),
        "wilcoxon_p": float(f"{wilcoxon(gains).pvalue:.3g}"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/core_accuracy")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["genseg", "augmented"])
    args = parser.parse_args()
    dice: dict[str, dict[str, list[float]]] = {
        arm: {shift: [] for shift in SHIFTS} for arm in args.arms
    }
    for arm in args.arms:
        for seed in args.seeds:
            predictor = Predictor(args.runs / f"{arm}-{seed}" / "model", "cpu")
            for shift, values in score(predictor, args.data, seed).items():
                dice[arm][shift] += values
            print(f"{arm} seed {seed} done", flush=True)
    means = {
        arm: {shift: round(float(np.mean(values)), 4) for shift, values in by_shift.items()}
        for arm, by_shift in dice.items()
    }
    others = [arm for arm in args.arms if arm != "genseg"] if "genseg" in args.arms else []
    tests = {
        other: {shift: against(dice["genseg"][shift], dice[other][shift]) for shift in SHIFTS}
        for other in others
    }
    print(
        write_findings(
            "scanner_shift", {"seeds": args.seeds, "dice": means, "genseg_against": tests}
        )
    )


if __name__ == "__main__":
    main()
