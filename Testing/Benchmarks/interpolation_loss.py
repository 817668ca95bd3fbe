"""What an image and a mask lose when they are moved: linear between voxels, or with midpoints.

    python Testing/Benchmarks/interpolation_loss.py [--data DIR] [--cases 12]

Each case is turned and shifted at random, as augmentation does: by 0.3 radians an axis and half a
voxel (standard deviations). Detail is the energy of the Laplacian away from the border; volume is
that of the mask's classes. Both as shares of what they were. Writes
results/interpolation_loss.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from measuring import ROOT, write_findings

from GenSegLib.augmentation.interpolation import sample, sample_finely
from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.augmentation.shapes import largest
from GenSegLib.augmentation.spatial import SpatialStrength, one_hot, random_grid
from GenSegLib.images.image_io import read_image, read_label

MOTIONS, BORDER = 4, 8
MOTION = SpatialStrength(rotation=0.3, scale=0, translation=0.01, elastic=0, probability=1)
WAYS = {"linear": sample, "with_midpoints": sample_finely}


def detail(image: torch.Tensor) -> float:
    """Return the energy of the Laplacian of an image (1, 1, *shape) away from its border."""
    inside = image[(slice(None), slice(None), *[slice(BORDER, -BORDER)] * 3)]
    seconds = (inside.diff(n=2, dim=axis).square().mean() for axis in (2, 3, 4))
    return float(sum(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/hippocampus")
    parser.add_argument("--cases", type=int, default=12)
    args = parser.parse_args()
    rng = Randomness(torch.Generator().manual_seed(0))
    measures = ("detail", "volume", "seconds")
    found: dict[str, dict[str, list[float]]] = {way: {m: [] for m in measures} for way in WAYS}
    for path in sorted((args.data / "imagesTr").glob("*.nii.gz"))[: args.cases]:
        volume = read_image(path)
        values = read_label(args.data / "labelsTr" / path.name, volume).array
        image = torch.from_numpy(volume.array).float()[None]
        masks = one_hot(torch.from_numpy(values).long()[None], int(values.max()) + 1)
        both = torch.cat([image, masks], dim=1)
        for _ in range(MOTIONS):
            grid = random_grid(rng, 1, tuple(both.shape[2:]), MOTION)
            for way, sampled in WAYS.items():
                start = time.perf_counter()
                moved = sampled(both, grid)
                found[way]["seconds"].append(time.perf_counter() - start)
                found[way]["detail"].append(detail(moved[:, :1]) / detail(image))
                there = float((largest(moved[:, 1:]) > 0).sum())
                found[way]["volume"].append(there / float(masks[:, 1:].sum()))
    means = {
        way: {name: round(statistics.mean(values), 4) for name, values in measured.items()}
        for way, measured in found.items()
    }
    print(write_findings("interpolation_loss", {**means, "cases": args.cases}))


if __name__ == "__main__":
    main()
