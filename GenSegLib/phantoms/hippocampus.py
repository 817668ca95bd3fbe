"""A hippocampus as in a T1-weighted MR crop: 1 mm voxels, labels Anterior and Posterior.

Axes are those of the Medical Segmentation Decathlon's Task04 crops: x from lateral to medial, y
from posterior to anterior, z upward.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..datasets.image_io import Volume
from . import rendering
from .hippocampus_frame import GRID_SHAPE, SPACING, Frame, random_frame
from .hippocampus_tissue import paint_tissues
from .shapes import Array

LABELS = {1: "Anterior", 2: "Posterior"}
MODALITY = "MRI"
SUFFIX = ".nii.gz"


def generate(rng: np.random.Generator) -> tuple[Volume, Volume]:
    """Generate an image and its label, each (1, x, y, z), of about 35 x 50 x 36 voxels."""
    frame = random_frame(rng)
    label = _trace(rng, frame)
    box = _crop(rng, label)
    frame, label = frame.cropped(box), label[box]
    tissue = paint_tissues(rng, frame)
    image = _acquire(rng, tissue)
    affine = np.eye(4)
    affine[:3, 3] = 1.0
    return Volume(image[None], affine), Volume(label[None], affine.copy())


def _trace(rng: np.random.Generator, frame: Frame) -> Array:
    """Label map as traced by a rater in coronal slices, with random errors."""
    slice_error = 0.22 * rng.standard_normal((1, GRID_SHAPE[1], 1))
    error = 0.30 * rendering.smooth_field(rng, GRID_SHAPE, SPACING, 2.5)
    inside = _largest_component(frame.distance + slice_error + error < 0)
    middle = GRID_SHAPE[0] // 2, GRID_SHAPE[2] // 2
    border = rng.normal(0.59, 0.03)
    anterior = frame.along[middle[0], :, middle[1]] > border
    return np.where(inside, np.where(anterior[None, :, None], 1, 2), 0).astype(np.int16)


def _largest_component(mask: Array) -> Array:
    """Remove voxels that the errors disconnected."""
    components, count = ndimage.label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(components.ravel(), minlength=count + 1)
    return components == 1 + np.argmax(sizes[1:])


def _crop(rng: np.random.Generator, label: Array) -> tuple[slice, ...]:
    """Bounding box of the label with the margins of the Decathlon's crops."""
    margins = ((6.0, 8.0), (5.3, 5.7), (4.8, 6.0))
    box = []
    for axis, (below, above) in enumerate(margins):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(label.any(axis=others))
        first = found[0] - round(np.clip(rng.normal(below, 1.2), 3, 10))
        last = found[-1] + round(np.clip(rng.normal(above, 1.2), 3, 10))
        box.append(slice(max(0, first), min(label.shape[axis], last + 1)))
    return tuple(box)


def _acquire(rng: np.random.Generator, tissue: Array) -> Array:
    """Simulate the scanner: blur, bias field, noise and an arbitrary gain."""
    image = rendering.blur(tissue, rng.uniform(0.35, 0.75), SPACING)
    image = image * rendering.bias_field(rng, image.shape, SPACING, rng.uniform(0.03, 0.10))
    image = rendering.rician(rng, image, rng.uniform(0.015, 0.06))
    if rng.random() < 0.3:  # some scanners interpolate, which makes the noise smooth
        image = rendering.blur(image, rng.uniform(0.4, 0.6), SPACING)
    return (image * np.exp(rng.normal(np.log(600), 0.5))).astype(np.float32)
