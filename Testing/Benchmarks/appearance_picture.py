"""Draw slices of a benchmark cohort as they are and recolored by region, for the documentation.

    python Testing/Benchmarks/appearance_picture.py abdomen_ct_btcv --spacing 3 --out ct.png

Every second row shows the slices above it, recolored. The labels' outlines are drawn on the latter.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from cohorts_data import COHORTS, cohort_labels, split_cohort

from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.region_appearance import (
    AppearanceDistribution,
    RegionAppearance,
    is_color,
)
from GenSegLib.augmentation.region_table import divide_cases, target_contrasts
from GenSegLib.cases import Case
from GenSegLib.data.case_loading import load_training_cases
from GenSegLib.presets import Preset, load_preset
from GenSegLib.training.sampling import patch_sampler

COLUMNS = 6


def slices_preset(spacing: float, size: int) -> Preset:
    """Return a preset of axial slices."""
    return replace(
        load_preset("generic-mri"),
        spatial_dims=2,
        spacing=(spacing, spacing),
        patch_size=(size, size),
        foreground_fraction=1.0,
    )


def load(cohort: str, count: int, preset: Preset, labels: dict[str, int]) -> list:
    split = split_cohort(COHORTS[cohort], count, 0)
    cases = [Case(each.name, each.images[0], each.label) for each in split.labeled]
    return load_training_cases(
        cases, preset, {value: name for name, value in labels.items()}, torch.device("cpu")
    )


def draw(images: torch.Tensor, recolored: torch.Tensor, labels: torch.Tensor, out: Path) -> None:
    rows = 2 * (len(images) // COLUMNS)
    _, axes = plt.subplots(rows, COLUMNS, figsize=(2 * COLUMNS, 2 * rows), dpi=70)
    for k in range(len(images)):
        row, column = 2 * (k // COLUMNS), k % COLUMNS
        for axis, image in ((axes[row][column], images[k]), (axes[row + 1][column], recolored[k])):
            low, high = image.quantile(torch.tensor([0.01, 0.99])).tolist()
            axis.imshow(image.T.flip(0), cmap="gray", vmin=low, vmax=high)
        outline = labels[k].T.flip(0)
        axes[row + 1][column].contour(
            outline, levels=[v + 0.5 for v in range(int(outline.max()))], linewidths=0.4
        )
    for axis in axes.flat:
        axis.axis("off")
    plt.subplots_adjust(0, 0, 1, 1, 0.02, 0.02)
    plt.savefig(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--spacing", type=float, default=2.0, help="mm")
    parser.add_argument("--size", type=int, default=128, help="voxels")
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--targets", help="cohort whose contrasts are drawn")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    preset = slices_preset(args.spacing, args.size)
    cases = load(args.cohort, args.cases, preset, cohort_labels(COHORTS[args.cohort]))
    divided, table = divide_cases(cases, args.seed, torch.device("cpu"))
    for case in divided:
        print(case.case.name, [round(float(x), 3) for x in case.regions.fractions])
    targets = None
    if args.targets:
        unlabeled = load(args.targets, 4, preset, {})
        targets = target_contrasts(unlabeled, args.seed, torch.device("cpu"))
    rng = RandomGenerator(torch.Generator().manual_seed(args.seed))
    images, labels = patch_sampler(divided, preset).sample(rng, 2 * COLUMNS)
    appearance = RegionAppearance(table, targets, color=is_color(preset))
    distribution = AppearanceDistribution(fraction=1.0, target=1.0)
    recolored = appearance.recolor(images, labels[:, 1:], distribution, rng)
    draw(images[:, 0], recolored[:, 0], labels[:, 0], args.out)


if __name__ == "__main__":
    main()
