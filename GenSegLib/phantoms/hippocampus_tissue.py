"""Tissues around a hippocampus in T1-weighted MR, painted from back to front.

Values are relative to white matter at 1. Shapes are placed in the coordinates of `Frame`, in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from . import rendering, shapes
from .hippocampus_frame import Frame
from .rendering import coverage, paint
from .shapes import Array


@dataclass(frozen=True)
class Tissues:
    """T1-weighted values of one case."""

    white: float
    cortex: float
    hippocampus: float
    amygdala: float
    thalamus: float
    fluid: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> Tissues:
        """Return values whose contrasts vary as between scanners."""
        cortex = rng.normal(0.51, 0.04)
        return cls(
            white=1.0,
            cortex=cortex,
            hippocampus=cortex + rng.normal(0.01, 0.02),
            amygdala=cortex + rng.normal(0.08, 0.02),
            thalamus=cortex + rng.normal(0.30, 0.03),
            fluid=rng.normal(0.13, 0.03),
        )


class _Scene(NamedTuple):
    """An image being painted, with its coordinates and tissue values."""

    rng: np.random.Generator
    image: Array
    frame: Frame
    tissues: Tissues


def paint_tissues(rng: np.random.Generator, frame: Frame) -> Array:
    """Return tissue values over the frame's grid, including the hippocampus."""
    tissues = Tissues.random(rng)
    shape, spacing = frame.up.shape, (1.0, 1.0, 1.0)

    def noise(scale: float) -> Array:
        return rendering.smooth_field(rng, shape, spacing, scale)

    image = np.full(shape, tissues.white, np.float32)
    scene = _Scene(rng, image, frame, tissues)
    _paint_deep_nuclei(scene, noise(5.0))
    lobe = _temporal_lobe(rng, frame, noise(9.0) + 0.4 * noise(4.0))
    _paint_beyond_lobe(scene, lobe, noise(8.0))
    _paint_lobe(scene, lobe, noise(6.0))
    _paint_ventricle(scene, noise(5.0))
    _paint_hippocampus(scene, noise(2.2))
    image *= 1 + 0.035 * noise(2.0) + 0.03 * noise(4.0) + 0.03 * noise(9.0)
    _paint_vessels(scene)
    return np.maximum(image, 0.02)


def _paint_deep_nuclei(scene: _Scene, rough: Array) -> None:
    """Paint the thalamus behind, the amygdala in front, and the lentiform nucleus above."""
    rng, image, frame, tissues = scene
    y = (frame.along - 0.5) * frame.length
    midbrain = coverage(4.0 - frame.across - 0.3 * frame.up, 12.0)
    paint(image, midbrain, tissues.thalamus + 0.06 + 0.04 * rough)
    pulvinar = shapes.ellipsoid(
        (frame.across - rng.normal(9, 1.5), y - rng.normal(-8, 2), frame.up - rng.normal(13, 1.2)),
        (rng.uniform(8, 11), rng.uniform(9, 13), rng.uniform(7, 9)),
    )
    paint(image, coverage(pulvinar + rough, 2.5), tissues.thalamus - 0.05 + 0.03 * rough)
    lentiform = shapes.ellipsoid(
        (
            frame.across + rng.normal(10, 2) - 0.3 * frame.up,
            y - rng.normal(9, 3),
            frame.up - rng.normal(19, 1.5),
        ),
        (rng.uniform(3, 6), rng.uniform(12, 20), rng.uniform(7, 10)),
    )
    paint(image, coverage(lentiform + rough, 2.0), tissues.cortex + 0.10 + 0.04 * rough)
    stripes = np.sin(1.1 * frame.across + 0.7 * frame.up + 2.0 * rough)
    basal = coverage(10.0 - frame.up, 6.0) * coverage(-y + rng.normal(8, 2), 8.0)
    paint(image, 0.5 * basal, tissues.thalamus - 0.08 + 0.07 * stripes)
    amygdala = shapes.ellipsoid(
        (frame.across - rng.normal(2.5, 1), y - rng.normal(20, 1.5), frame.up - rng.normal(9, 1)),
        (rng.uniform(7, 9), rng.uniform(8, 11), rng.uniform(6, 8)),
    )
    paint(image, coverage(amygdala + 0.8 * rough, 2.0), tissues.amygdala + 0.04 * rough)


def _temporal_lobe(rng: np.random.Generator, frame: Frame, rough: Array) -> Array:
    """Return the signed distance to the inferior medial surface of the temporal lobe."""
    reach = frame.half_width + rng.normal(13.0, 1.0)
    depth = rng.normal(13.5, 1.2) + 2.0 * (0.5 - frame.along)
    return shapes.ellipsoid((frame.across + 9.5, frame.up + 3.5), (reach, depth)) + 1.3 * rough


def _paint_beyond_lobe(scene: _Scene, lobe: Array, rough: Array) -> None:
    """Paint the folia of the cerebellum below the lobe, and the cistern in between."""
    rng, image, frame, tissues = scene
    wavelength = rng.uniform(3.2, 4.8)
    depth = lobe + 0.6 * frame.across + 1.6 * rough + 0.25 * frame.along * frame.length
    folia = np.sin(2 * np.pi * depth / wavelength) * (0.6 + 0.4 * rough)
    below = coverage(frame.up + rng.normal(7, 1.5) - 0.25 * frame.across, 3.0)
    behind = coverage((frame.along - rng.normal(0.62, 0.06)) * frame.length, 6.0)
    cerebellum = tissues.cortex + 0.06 + 0.20 * folia
    paint(image, below * behind * coverage(-lobe), cerebellum)
    paint(image, below * (1 - behind) * coverage(-lobe), tissues.fluid + 0.12 + 0.10 * rough)
    gap = np.maximum(0.4, rng.uniform(1.2, 2.8) + 1.2 * rough)
    edge = coverage(-lobe) * coverage(lobe - gap) * coverage(frame.up - rng.normal(7, 1), 3.0)
    paint(image, edge, tissues.fluid + 0.06 * np.abs(rough))


def _paint_lobe(scene: _Scene, lobe: Array, rough: Array) -> None:
    """Paint the cortex of the parahippocampal and fusiform gyri, with the collateral sulcus."""
    rng, image, frame, tissues = scene
    low = coverage(frame.up + 0.5, 2.0)
    inside = coverage(lobe) * low
    paint(image, inside, tissues.white)
    thickness = rng.uniform(2.2, 3.0)
    layer = -lobe - thickness - 0.5 * rough
    paint(image, inside * coverage(layer, 1.5), tissues.cortex + 0.03 * rough)
    bottom = rng.normal(-8.2, 0.6) + 0.8 * rough
    for start, turn in ((rng.normal(-15, 1.5), 1.0), (rng.normal(-19, 1.5), 0.2)):
        across, up = frame.across - start - 1.2 * rough, frame.up + 17 + rough
        rise = shapes.capsule((across, up), (4.0, bottom + 17 - 3 * (1 - turn)), 0.0)
        roof = shapes.capsule(
            (across - 4.0, frame.up - bottom), (rng.uniform(9, 14) * turn + 0.1, -1.5), 0.0
        )
        sulcus = np.minimum(rise, roof)
        fold = sulcus - thickness * 0.85 - 0.6 * rough
        paint(image, inside * coverage(fold, 1.5), tissues.cortex)
        paint(image, inside * coverage(sulcus - rng.uniform(0.1, 0.5)), tissues.fluid + 0.1)
    bed = frame.distance - rng.uniform(1.6, 2.6)
    bed_share = coverage(bed) * coverage(frame.up + 0.5, 3.0)
    medial = coverage(frame.across - 0.75 * frame.half_width, 4.0)
    paint(image, bed_share * medial, tissues.white + 0.03)


def _paint_ventricle(scene: _Scene, rough: Array) -> None:
    """Paint temporal horn, atrium (larger with atrophy) and choroidal fissure."""
    rng, image, frame, tissues = scene
    atrophy = rng.gamma(2.0, 0.5)
    fissure = frame.distance - np.maximum(0.3, 1.1 + 0.5 * rough)
    above = coverage(1.0 - frame.up, 2.0) * coverage(
        (np.abs(frame.along - 0.5) - 0.40) * frame.length, 4.0
    )
    medial = coverage(-frame.across - 0.2 * frame.half_width, 4.0)
    paint(image, coverage(fissure) * above * np.maximum(medial, 0.55), tissues.fluid + 0.05)
    cleft = shapes.ellipsoid(
        (frame.across - frame.half_width - 0.5, frame.up - 2.5), (2.6 + atrophy, 2.2 + atrophy)
    )
    middle = coverage((frame.along - 0.72) * frame.length, 5.0)
    paint(image, coverage(cleft + 0.8 * rough) * middle, tissues.fluid + 0.06 * rough)
    wedge_across, wedge_up = shapes.rotate(
        frame.across + frame.half_width + 0.2, frame.up - 0.2, rng.normal(0.75, 0.15)
    )
    wedge = shapes.ellipsoid((wedge_across, wedge_up), (3.2 + atrophy, 0.9 + 0.7 * atrophy))
    paint(image, coverage(wedge + 0.3 * rough), tissues.fluid)
    y = (frame.along - rng.normal(0.03, 0.04)) * frame.length
    atrium = shapes.ellipsoid(
        (frame.across + 4.5 - 0.25 * y, y, frame.up - 2.0 - 0.3 * y),
        (4.0 + 1.5 * atrophy, 7.0 + 2.0 * atrophy, 4.5 + 1.5 * atrophy),
    )
    paint(image, coverage(atrium + 1.6 * rough), tissues.fluid)


def _paint_hippocampus(scene: _Scene, fine: Array) -> None:
    """Paint the gray matter with its faint inner layers, and the thin white alveus."""
    rng, image, frame, tissues = scene
    layers = np.abs(frame.distance + rng.uniform(1.8, 2.6)) - 0.5
    inner = tissues.hippocampus + 0.035 * fine
    inner = inner + coverage(layers) * rng.uniform(0.0, 0.10)
    alveus = coverage(frame.distance - 0.7) * coverage(1.5 - frame.up, 2.0)
    paint(image, alveus * rng.uniform(0.1, 0.5), tissues.white)
    paint(image, coverage(frame.distance, 1.2), inner)


def _paint_vessels(scene: _Scene) -> None:
    """Paint bright inflow in branches of the posterior cerebral artery."""
    rng, image, frame, _ = scene
    for _ in range(rng.integers(0, 4)):
        start = (rng.uniform(6, 11), rng.uniform(-16, 12), rng.uniform(-6, 5))
        offsets = (
            frame.across - start[0],
            (frame.along - 0.5) * frame.length - start[1],
            frame.up - start[2],
        )
        branch = shapes.capsule(offsets, tuple(rng.normal(0, (2, 5, 2))), rng.uniform(0.4, 0.7))
        paint(image, coverage(branch), rng.uniform(0.9, 1.6))
