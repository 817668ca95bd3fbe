"""Draw 12 slices of benchmark cohorts as they are and changed, for the documentation.

    python Testing/Benchmarks/appearance_picture.py abdomen_ct_btcv:3 cardiac_cine_acdc:2
    python Testing/Benchmarks/appearance_picture.py polyp_kvasir:3 breast_busi:3 \\
        --out Docs/images/recolored_pictures.jpg
    python Testing/Benchmarks/appearance_picture.py polyp_kvasir:3 breast_busi:3 wound_fuseg:3 \\
        --transplants --cases 12 --out Docs/images/transplanted_lesions.jpg

Cohorts are given with the spacing in mm or pixels. Every second row shows the slices above it,
recolored or with lesions of the others. The labels' outlines are drawn on the latter.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from cohorts_data import COHORTS, Cohort, cohort_labels, read_cohort, split_cohort
from measuring import ROOT
from PIL import Image

from GenSegLib.augmentation.batch_transplants import transplant_lesions
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.region_appearance import (
    AppearanceDistribution,
    RegionAppearance,
)
from GenSegLib.augmentation.region_table import divide_cases, target_contrasts
from GenSegLib.augmentation.regions import image_clusters
from GenSegLib.cases import Case
from GenSegLib.data.case_loading import load_training_cases
from GenSegLib.presets import Preset, load_preset
from GenSegLib.training.sampling import patch_sampler

COLUMNS = 6
CPU = torch.device("cpu")
Slices = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def slices_preset(cohort: Cohort, spacing: float, size: int) -> Preset:
    """Return a preset for other scanners, of axial slices of volumes."""
    if cohort.spatial_dims == 2:
        with Image.open(read_cohort(cohort)[0].images[0]) as picture:
            name = "generic-2d-color" if picture.mode == "RGB" else "generic-2d"
    else:
        name = "generic-mri"
    return replace(
        load_preset(name).for_any_scanner(),
        spatial_dims=2,
        unit="px" if cohort.spatial_dims == 2 else "mm",
        spacing=(spacing, spacing),
        patch_size=(size, size),
        foreground_fraction=1.0,
    )


def load(cohort: Cohort, count: int, preset: Preset, labels: dict[str, int]) -> list:
    split = split_cohort(cohort, count, 0)
    cases = [Case(each.name, each.images[0], each.label) for each in split.labeled]
    return load_training_cases(
        cases, preset, {value: name for name, value in labels.items()}, torch.device("cpu")
    )


def slices_of(
    cohort: Cohort, spacing: float, targets: str | None, size: int, count: int, seed: int
) -> Slices:
    """Return images (slice, x, y, gray or RGB), the same recolored, and labels (slice, x, y)."""
    preset = slices_preset(cohort, spacing, size)
    cases = load(cohort, count, preset, cohort_labels(cohort))
    divided, table = divide_cases(cases, seed, CPU)
    unlabeled = load(COHORTS[targets], count, preset, {}) if targets else []
    contrasts = target_contrasts([image_clusters(case, seed) for case in unlabeled], CPU)
    rng = RandomGenerator(seed)
    images, labels = patch_sampler(divided, preset).sample(rng, 2 * COLUMNS)
    appearance = RegionAppearance(table, contrasts, color=preset.has_colors)
    distribution = replace(AppearanceDistribution.for_preset(preset, fraction=1.0), target=1.0)
    recolored = appearance.recolor(images, labels[:, 1:], distribution, rng)
    return images.movedim(1, -1), recolored.movedim(1, -1), labels[:, 0]


def transplanted(cohort: Cohort, spacing: float, size: int, count: int, seed: int) -> Slices:
    """Return images (slice, x, y, gray or RGB), the same with lesions of others, and labels."""
    preset = slices_preset(cohort, spacing, size)
    classes = cohort_labels(cohort)
    rng = RandomGenerator(seed)
    images, labels = patch_sampler(load(cohort, count, preset, classes), preset).sample(
        rng, 2 * COLUMNS
    )
    changed, labels = transplant_lesions(images, labels, len(classes) + 1, 1.0, rng)
    return images.movedim(1, -1), changed.movedim(1, -1), labels[:, 0]


def draw(groups: Sequence[Slices], out: Path) -> None:
    """Draw the slices of all cohorts, two rows of originals each."""
    rows = 4 * len(groups)
    _, axes = plt.subplots(rows, COLUMNS, figsize=(1.6 * COLUMNS, 1.6 * rows), dpi=60)
    for group, (images, changed, labels) in enumerate(groups):
        for k, (image, new, label) in enumerate(zip(images, changed, labels)):
            row, column = 4 * group + 2 * (k // COLUMNS), k % COLUMNS
            for axis, shown in ((axes[row][column], image), (axes[row + 1][column], new)):
                low, high = shown.quantile(torch.tensor([0.01, 0.99])).tolist()
                unit = ((shown - low) / max(high - low, 1e-6)).clamp(0, 1)
                axis.imshow(unit.transpose(0, 1).flip(0), cmap="gray", vmin=0, vmax=1)
            levels = [value + 0.5 for value in range(int(label.max()))]
            axes[row + 1][column].contour(label.T.flip(0), levels=levels, linewidths=0.4)
    for axis in axes.flat:
        axis.axis("off")
    plt.subplots_adjust(0, 0, 1, 1, 0.02, 0.02)
    plt.savefig(out, pil_kwargs={"quality": 80})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cohorts", nargs="+", metavar="COHORT:MM")
    parser.add_argument("--out", type=Path, default=ROOT / "Docs/images/recolored_volumes.jpg")
    parser.add_argument("--size", type=int, default=128, help="voxels")
    parser.add_argument("--cases", type=int, default=4)
    parser.add_argument("--targets", help="cohort of unlabeled images whose contrasts are drawn")
    parser.add_argument("--transplants", action="store_true", help="lesions, no recoloring")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    groups = []
    for text in args.cohorts:
        cohort, spacing = text.split(":")
        options = args.size, args.cases, args.seed
        if args.transplants:
            groups.append(transplanted(COHORTS[cohort], float(spacing), *options))
        else:
            groups.append(slices_of(COHORTS[cohort], float(spacing), args.targets, *options))
    draw(groups, args.out)


if __name__ == "__main__":
    main()
