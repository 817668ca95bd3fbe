"""A hippocampus as in a T1-weighted MR crop: 1 mm voxels, labels Anterior and Posterior.

Axes are those of the Medical Segmentation Decathlon's Task04 crops: x from lateral to medial, y
from posterior to anterior, z upward. The mean center line and cross-sections follow measurements
on 60 of those cases; everything varies from subject to subject.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..data.image_io import Volume
from . import rendering, shapes
from .hippocampus_tissue import paint_surroundings
from .shapes import Array

LABELS = {1: "Anterior", 2: "Posterior"}
MODALITY = "MRI"
SPACING = (1.0, 1.0, 1.0)
CANVAS = (52, 68, 56)

# From the tail (0) to the head (1): center line and half axes of the cross-section in mm.
CENTER_X = (0.5, -1.1, -3.6, -4.7, -5.6, -5.8, -4.9, -3.0, -1.6, 0.3, 2.0)
CENTER_Z = (7.3, 5.5, 2.2, 0.1, -1.4, -2.8, -4.3, -5.4, -6.8, -8.4, -9.6)
HALF_WIDTH = (3.0, 5.6, 6.3, 6.5, 6.5, 6.6, 7.3, 8.4, 8.4, 7.2, 4.6)
HALF_HEIGHT = (2.7, 4.3, 4.0, 3.8, 3.8, 3.9, 4.4, 5.0, 5.2, 4.7, 3.0)


@dataclass(frozen=True)
class Frame:
    """Coordinates that follow the hippocampus; arrays over the grid, mm.

    along: 0 at the tip of the tail, 1 at that of the head. across: towards medial. up: upward.
    half_width and half_height are those of the cross-section there; distance is the signed
    distance to the surface.
    """

    along: Array
    across: Array
    up: Array
    half_width: Array
    half_height: Array
    length: float
    distance: Array

    def cropped(self, box: tuple[slice, ...]) -> Frame:
        """The same coordinates within a box of voxels."""
        return Frame(
            along=self.along[box],
            across=self.across[box],
            up=self.up[box],
            half_width=self.half_width[box],
            half_height=self.half_height[box],
            length=self.length,
            distance=self.distance[box],
        )


def generate(rng: np.random.Generator) -> tuple[Volume, Volume]:
    """Draw one subject: the image and its label, each (1, x, y, z), about 35 by 50 by 36 voxels."""
    frame = _random_frame(rng)
    label = _trace(rng, frame)
    box = _crop(rng, label)
    frame, label = frame.cropped(box), label[box]
    tissue = paint_surroundings(rng, frame)
    image = _acquire(rng, tissue)
    affine = np.eye(4)
    affine[:3, 3] = 1.0
    return Volume(image[None], affine), Volume(label[None], affine.copy())


def _random_frame(rng: np.random.Generator) -> Frame:
    x, y, z = rendering.grid(CANVAS, SPACING)
    x, y, z = (
        axis + 0.9 * rendering.smooth_field(rng, CANVAS, SPACING, 14.0) for axis in (x, y, z)
    )
    x, y = shapes.rotate(x, y, rng.normal(0, 0.07))
    y, z = shapes.rotate(y, z, rng.normal(0, 0.10))
    x, z = shapes.rotate(x, z, rng.normal(0, 0.09))
    length = float(np.clip(rng.normal(38.5, 3.0), 32, 46))
    along = y / length + 0.5
    size = rng.normal(1.0, 0.06)
    profile = _Profile(rng, np.clip(along, 0, 1))
    across, up = x - profile(CENTER_X, shift=0.9), z - profile(CENTER_Z, shift=0.9)
    half_width = profile(HALF_WIDTH, stretch=0.07) * size
    half_height = profile(HALF_HEIGHT, stretch=0.08) * size
    across, up = shapes.rotate(across, up, rng.normal(0.0, 0.12) + 0.25 * (along - 0.5))
    frame = Frame(along, across, up, half_width, half_height, length, along)
    return Frame(along, across, up, half_width, half_height, length, _surface(rng, frame))


class _Profile:
    """Curves along the center line, each with a smooth deviation of the subject's own."""

    def __init__(self, rng: np.random.Generator, along: Array) -> None:
        self.rng = rng
        self.along = along

    def __call__(self, knots: tuple[float, ...], shift: float = 0.0, stretch: float = 0.0) -> Array:
        values = np.array(knots)
        positions = np.linspace(0, 1, len(values))
        deviation = np.interp(positions, np.linspace(0, 1, 4), self.rng.standard_normal(4))
        values = values * np.exp(stretch * deviation) + shift * deviation
        fine = np.linspace(0, 1, 101)
        smooth = np.convolve(
            np.pad(np.interp(fine, positions, values), 5, mode="edge"), np.ones(11) / 11, "valid"
        )
        return np.interp(self.along, fine, smooth).astype(np.float32)


def _surface(rng: np.random.Generator, frame: Frame) -> Array:
    """Tube with rounded ends, the uncus bulging from the head and the tail curling upward."""
    half_width, half_height, length = frame.half_width, frame.half_height, frame.length
    # A comma rather than an ellipse: the medial side, the subiculum, thins out and hangs down.
    side = np.clip(frame.across / half_width, -1.2, 1.4)
    body = shapes.ellipsoid(
        (frame.across, frame.up + (0.25 * side + 0.35 * side**2 - 0.1) * half_height * 0.6),
        (half_width, half_height * (1 - 0.22 * side)),
    )
    beyond = (np.abs(frame.along - 0.5) - 0.5) * length + 1.2
    tube = shapes.extrude(body, beyond)
    uncus = shapes.ellipsoid(
        (
            frame.across - rng.normal(6.2, 0.8),
            (frame.along - rng.normal(0.79, 0.03)) * length,
            frame.up - rng.normal(2.8, 0.7),
        ),
        (rng.uniform(2.6, 3.8), rng.uniform(3.5, 5.5), rng.uniform(2.6, 3.8)),
    )
    tail = shapes.ellipsoid(
        (
            frame.across - rng.normal(2.2, 0.8),
            (frame.along - rng.normal(0.06, 0.02)) * length,
            frame.up - rng.normal(1.5, 0.6),
        ),
        (rng.uniform(2.8, 4.0), rng.uniform(2.5, 3.5), rng.uniform(2.8, 4.0)),
    )
    lumps = rendering.smooth_field(rng, CANVAS, SPACING, 5.0)  # digitations and grooves
    return shapes.join(shapes.join(tube, uncus, 2.0), tail, 2.0) + 0.5 * lumps


def _trace(rng: np.random.Generator, frame: Frame) -> Array:
    """Label map as a rater traces it, coronal slice by slice, with a slightly unsteady hand."""
    hand = 0.22 * rng.standard_normal((1, CANVAS[1], 1))
    wobble = 0.30 * rendering.smooth_field(rng, CANVAS, SPACING, 2.5)
    inside = _largest_piece(frame.distance + hand + wobble < 0)
    middle = CANVAS[0] // 2, CANVAS[2] // 2
    border = rng.normal(0.59, 0.03)
    anterior = frame.along[middle[0], :, middle[1]] > border
    return np.where(inside, np.where(anterior[None, :, None], 1, 2), 0).astype(np.int16)


def _largest_piece(mask: Array) -> Array:
    """Drop the voxels that the unsteady hand left apart from the rest."""
    pieces, count = ndimage.label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    return pieces == 1 + np.argmax(sizes[1:])


def _crop(rng: np.random.Generator, label: Array) -> tuple[slice, ...]:
    """Box around the label with the margins of the Decathlon's crops."""
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
    """What the scanner makes of the tissue: blur, coil shading, noise and an arbitrary gain."""
    image = rendering.blur(tissue, rng.uniform(0.35, 0.75), SPACING)
    image = image * rendering.bias_field(rng, image.shape, SPACING, rng.uniform(0.03, 0.10))
    image = rendering.rician(rng, image, rng.uniform(0.015, 0.06))
    if rng.random() < 0.3:  # some scanners interpolate, which makes the noise smooth
        image = rendering.blur(image, rng.uniform(0.4, 0.6), SPACING)
    return (image * np.exp(rng.normal(np.log(600), 0.5))).astype(np.float32)
