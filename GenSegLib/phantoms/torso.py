"""The trunk of an abdominal CT: skin, fat, muscle, lungs, spine and ribs, in Hounsfield units.

Coordinates are mm about the center of the field of view: x to the right of the patient,
y anterior, z superior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import rendering, shapes
from .rendering import coverage
from .shapes import Array

AIR, LUNG, FAT, WATER, MUSCLE, DISC, SPONGIOSA, CORTICAL = -1000, -840, -100, 8, 55, 85, 190, 480
Point = tuple[float, float, float]
MARGIN = 16.0


class Scene:
    """An image being painted, with the coordinates of one case over its grid."""

    def __init__(
        self, rng: np.random.Generator, size: Sequence[int], spacing: Sequence[float]
    ) -> None:
        self.rng = rng
        self.size = tuple(size)
        self.spacing = tuple(spacing)
        self.softness = float(np.mean(spacing))
        self.image = np.full(self.size, AIR, np.float32)
        self.axes = rendering.grid(size, spacing)
        self.x, self.y, self.z = (axis + 5 * self.noise(70) for axis in self.axes)

    def noise(self, scale: float) -> Array:
        """Smooth random field over the whole grid; see `rendering.smooth_field`."""
        return rendering.smooth_field(self.rng, self.size, self.spacing, scale)

    def ellipsoid(self, center: Point, radii: Point) -> Array:
        """Signed distance to an ellipsoid in mm over the whole grid."""
        offsets = (self.x - center[0], self.y - center[1], self.z - center[2])
        return shapes.ellipsoid(offsets, radii)

    def paint(self, distance: Array, value: float | Array, within: float | Array = 1.0) -> None:
        """Fill a shape, restricted to the mask `within` (0 to 1)."""
        rendering.paint(self.image, within * coverage(distance, self.softness), value)

    def capsule(self, start: Point, end: Point, radius: float, value: float, within: Array) -> None:
        """Paint a capsule; only the voxels near it are computed."""
        box = self._box(start, end, radius)
        offsets = [c[box] - s for c, s in zip((self.x, self.y, self.z), start)]
        distance = shapes.capsule(offsets, [e - s for s, e in zip(start, end)], radius)
        share = within[box] * coverage(distance, self.softness)
        rendering.paint(self.image[box], share, value)

    def _box(self, start: Point, end: Point, radius: float) -> tuple[slice, ...]:
        box = []
        for axis, (first, last) in enumerate(zip(start, end)):
            reach, middle = radius + MARGIN, (self.size[axis] - 1) / 2
            low = (min(first, last) - reach) / self.spacing[axis] + middle
            high = (max(first, last) + reach) / self.spacing[axis] + middle
            box.append(slice(max(0, int(low)), max(0, int(high) + 2)))
        return tuple(box)


@dataclass(frozen=True)
class Torso:
    """Signed distances of the trunk over the grid, and its landmarks, in mm.

    Attributes:
        cavity: signed distance to the inside of ribs and abdominal wall.
        dome: height above the diaphragm.
        spine: center of the vertebral bodies along y.
        half_width: of the trunk.
        half_depth: of the trunk.
    """

    cavity: Array
    dome: Array
    spine: float
    half_width: float
    half_depth: float


def paint_torso(scene: Scene) -> Torso:
    """Paint the trunk without its abdominal organs; the cavity is filled with fat."""
    rng = scene.rng
    half_width, half_depth = rng.uniform(128, 140), rng.uniform(100, 116)
    fat, wall = min(rng.gamma(3.0, 3.5) + 3, 26), rng.uniform(8, 11)
    skin = _trunk(scene, half_width, half_depth)
    flank = 1 + 0.35 * np.clip(scene.y / half_depth, -1, 1)
    muscle = skin + fat * flank
    cavity = muscle + wall + 0.8 * scene.noise(30)
    scene.paint(skin, 40.0)
    scene.paint(skin + 2.5, FAT + 6 * scene.noise(9))
    scene.paint(muscle, MUSCLE + 8 * scene.noise(10))
    scene.paint(cavity, FAT + 8 * scene.noise(12))
    spine = -half_depth + fat * 0.8 + rng.uniform(50, 56)
    dome = _diaphragm(scene, half_width)
    _paint_back(scene, spine)
    chest = np.maximum(cavity, -dome)
    aside = coverage(34 + 0.15 * scene.y - np.abs(scene.x + 8), 6.0)
    scene.paint(chest, 45.0)
    scene.paint(chest + 1.0, LUNG + 25 * scene.noise(8), np.maximum(aside, _behind(scene)))
    _paint_ribs(scene, cavity)
    _paint_spine(scene, spine)
    return Torso(cavity, dome, spine, half_width, half_depth)


def _trunk(scene: Scene, half_width: float, half_depth: float) -> Array:
    """Return the signed distance: a rounded rectangle, hollow over the spine."""
    waist = 1 - 0.04 * np.cos(scene.z / 60)
    x, y = scene.x / (half_width * waist), scene.y / half_depth
    norm = (np.abs(x) ** 2.4 + np.abs(y) ** 2.4 + 1e-6) ** (1 / 2.4)
    hollow = 7 * np.exp(-((scene.x / 22) ** 2)) * (scene.y < 0)
    return (norm - 1) * min(half_width, half_depth) + hollow


def _behind(scene: Scene) -> Array:
    """Return the mask of the paravertebral part of the lungs, behind the heart."""
    return coverage(scene.y + 25, 6.0)


def _diaphragm(scene: Scene, half_width: float) -> Array:
    """Return the height above two domes, the right one higher."""
    rng = scene.rng
    right, left = rng.uniform(66, 84), rng.uniform(54, 72)
    width, depth = 0.62 * half_width, 78.0
    domes = [
        height - 52 * (((scene.x - side * 0.48 * half_width) / width) ** 2
                       + ((scene.y - 14) / depth) ** 2)
        for height, side in ((right, 1.0), (left, -1.0))
    ]  # fmt: skip
    return 0.72 * (scene.z - np.maximum(*domes)) + 2 * scene.noise(40)


def _paint_back(scene: Scene, spine: float) -> None:
    """Paint erector muscles beside the spinous processes, psoas beside the lumbar spine."""
    for side in (-1, 1):
        erector = shapes.ellipsoid((scene.x - side * 31, scene.y - spine + 30), (28.0, 19.0))
        scene.paint(erector, MUSCLE + 10 * scene.noise(12))
        swell = np.clip(10 - 0.14 * scene.z, 2, 20)
        psoas = shapes.ellipsoid((scene.x - side * 33, scene.y - spine - 2), (swell, swell * 1.1))
        scene.paint(np.maximum(psoas, scene.z - 5), MUSCLE)


def _paint_spine(scene: Scene, spine: float) -> None:
    """Paint vertebral bodies, discs, canal, arches and spinous processes."""
    rng = scene.rng
    pitch, phase = rng.uniform(33, 38), rng.uniform(0, 36)
    level = np.abs((scene.z + phase + 0.08 * (scene.y - spine)) % pitch - pitch / 2)
    x, y = scene.x, scene.y - spine
    body = shapes.ellipsoid((x, y), (21 + 0.12 * level, 16.5))
    process = np.minimum(
        shapes.capsule((x, y + 24), (0.0, -24.0), 4.0),
        np.minimum(
            shapes.capsule((x - 12, y + 17), (22.0, -9.0), 4.5),
            shapes.capsule((x + 12, y + 17), (-22.0, -9.0), 4.5),
        ),
    )
    scene.paint(np.maximum(process, 6 - level), CORTICAL * 0.7)
    arch = np.abs(np.hypot(x, y + 25) - 12) - 3
    scene.paint(np.maximum(arch, 2 - level), CORTICAL * 0.8)
    scene.paint(np.hypot(x, y + 25) - 9, 30.0)
    scene.paint(body, DISC)
    vertebra = np.maximum(body, level - (pitch / 2 - 4))
    scene.paint(vertebra, CORTICAL + rng.normal(0, 40))
    scene.paint(vertebra + 3, SPONGIOSA + rng.normal(0, 25) + 30 * scene.noise(6))


def _paint_ribs(scene: Scene, cavity: Array) -> None:
    """Paint ribs that run down and forward, and the cartilage of the costal margin."""
    rng = scene.rng
    pitch, phase = rng.uniform(24, 28), rng.uniform(0, 26)
    turn = np.abs(np.arctan2(scene.x, -scene.y - 20))  # 0 at the spine, pi at the sternum
    drop = 58 * np.sin(np.clip(turn, 0, 2.4) * 0.62)
    height = np.abs((scene.z + drop + phase) % pitch - pitch / 2)
    rib = shapes.ellipsoid((cavity - 5.0, height), (4.0, 6.5))
    margin = scene.z + 62 - 40 * np.clip(turn - 1.1, 0, 3)  # no rib below the costal margin
    reach = np.maximum(np.maximum(rib, -margin), (0.25 - turn) * 60)
    bone = np.clip((2.15 - turn) * 3, 0, 1)
    scene.paint(reach, 120 + (CORTICAL - 120) * bone)
    scene.paint(reach + 2.2, 100 + 130 * bone)
