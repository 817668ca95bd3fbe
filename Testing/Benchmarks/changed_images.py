"""A trained model of 2-D images on its test images as other cameras would take them.

    python Testing/Benchmarks/changed_images.py --task polyps --run runs/two_d/NAME/run --out runs/x

Images and masks have fewer or more pixels, the structures are smaller or larger in the image, and
contrast, sharpness and angle differ. Prints the mean Dice of each change.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from cohorts_data import CohortCase
from jobs import predict_cases
from PIL import Image, ImageFilter, ImageOps
from tasks import IMAGES, Task

Pair = tuple[Image.Image, Image.Image]
Change = Callable[[Image.Image, Image.Image], Pair]

_NEAREST, _SMOOTH = Image.Resampling.NEAREST, Image.Resampling.BICUBIC


def resized(image: Image.Image, mask: Image.Image, factor: float) -> Pair:
    """Return the same field of view with another number of pixels."""
    size = round(image.width * factor), round(image.height * factor)
    return image.resize(size, _SMOOTH), mask.resize(size, _NEAREST)


def zoomed(image: Image.Image, mask: Image.Image, factor: float) -> Pair:
    """Return a larger field of view on black (below 1), or a smaller one."""
    large, outline = resized(image, mask, factor)
    left, top = (large.width - image.width) // 2, (large.height - image.height) // 2
    box = left, top, left + image.width, top + image.height
    return large.crop(box), outline.crop(box)


def turned(image: Image.Image, mask: Image.Image, degrees: float) -> Pair:
    """Return image and mask, turned."""
    return image.rotate(degrees, _SMOOTH), mask.rotate(degrees, _NEAREST)


def with_gamma(image: Image.Image, mask: Image.Image, power: float) -> Pair:
    """Return the image with a gamma."""
    curve = [round(255 * (value / 255) ** power) for value in range(256)]
    return image.point(curve * len(image.getbands())), mask


def blurred(image: Image.Image, mask: Image.Image) -> Pair:
    """Return the image out of focus."""
    return image.filter(ImageFilter.GaussianBlur(1.5)), mask


def equalized(image: Image.Image, mask: Image.Image) -> Pair:
    """Return the image with an equalized histogram."""
    return ImageOps.equalize(image), mask


CHANGES: dict[str, Change] = {
    "half the pixels": partial(resized, factor=0.5),
    "as they are": partial(resized, factor=1.0),
    "twice the pixels": partial(resized, factor=2.0),
    "four times the pixels": partial(resized, factor=4.0),
    "zoom 0.75": partial(zoomed, factor=0.75),
    "zoom 1.25": partial(zoomed, factor=1.25),
    "gamma 0.5": partial(with_gamma, power=0.5),
    "gamma 2": partial(with_gamma, power=2.0),
    "equalized": equalized,
    "blurred": blurred,
    "turned by 10 degrees": partial(turned, degrees=10.0),
}


def changed_cases(cases: Sequence[CohortCase], change: Change, folder: Path) -> list[CohortCase]:
    """Write changed images and masks, and return their cases."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for case in cases:
        assert case.label is not None
        image, mask = Image.open(case.images[0]), Image.open(case.label).convert("L")
        image, mask = change(image.convert("L" if image.mode == "L" else "RGB"), mask)
        files = folder / f"{case.name}.png", folder / f"{case.name}_mask.png"
        image.save(files[0])
        mask.save(files[1])
        found.append(replace(case, images=(files[0],), label=files[1]))
    return found


def mean_dice(task: Task, cases: Sequence[CohortCase], run: Path, folder: Path) -> float:
    """Return the mean Dice of a model's predictions."""
    predictions = predict_cases(run, cases, folder)
    name = task.cohort.name
    return float(np.mean([d for c in cases for d in task.scores(name, c, predictions).values()]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the mean Dice of each change."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=IMAGES, required=True)
    parser.add_argument("--run", type=Path, required=True, help="run folder of two_d.py")
    parser.add_argument("--out", type=Path, required=True, help="folder of images and predictions")
    parser.add_argument("--seed", type=int, default=0, help="of the run")
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=list(CHANGES))
    options = parser.parse_args(arguments)
    task = IMAGES[options.task]
    cases = task.split(options.seed).test
    for name in options.changes:
        folder = options.out / task.name / name.replace(" ", "-")
        changed = changed_cases(cases, CHANGES[name], folder / "changed")
        score = mean_dice(task, changed, options.run, folder)
        print(f"{name:24}{score:.4f} ({len(changed)} images)", flush=True)


if __name__ == "__main__":
    main()
