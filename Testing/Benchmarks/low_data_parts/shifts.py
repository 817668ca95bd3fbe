"""The test cases as another scanner might have shown them: a fixed recipe with a fixed seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from protocol import TEST_CASES, test_images

from GenSegLib.augmentation.intensity import bias_field, gaussian_blur, low_resolution, noise
from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.images.image_io import Volume, read_image, read_label

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


@dataclass(frozen=True)
class ShiftedCase:
    """A test case under one change, with its reference on the same grid."""

    name: str
    shift: str
    image: Volume
    reference: Volume


def shifted(image: Volume, shift: str, seed: int) -> Volume:
    """Return an image with mean 0 and deviation 1, changed."""
    voxels = torch.from_numpy(np.ascontiguousarray(image.array, np.float32))[None]
    voxels = (voxels - voxels.mean()) / voxels.std()
    rng = Randomness(torch.Generator().manual_seed(seed))
    return Volume(SHIFTS[shift](voxels, rng)[0].numpy(), image.affine)


def shifted_cases(data: Path, seed: int, test_cases: int = TEST_CASES) -> Iterator[ShiftedCase]:
    """Give every test case under every change."""
    for number, path in enumerate(test_images(data, seed, test_cases)):
        image, reference = read_image(path), read_label(data / "labelsTr" / path.name)
        name = path.name.removesuffix(".nii.gz")
        for shift in SHIFTS:
            yield ShiftedCase(name, shift, shifted(image, shift, number), reference)
