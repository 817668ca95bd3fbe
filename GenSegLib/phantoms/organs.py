"""Abdominal organs other than the liver, and the great vessels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import shapes
from .rendering import coverage
from .shapes import Array
from .torso import AIR, FAT, MUSCLE, WATER, Scene, Torso


@dataclass(frozen=True)
class Enhancement:
    """Hounsfield units of tissues that take up contrast agent, around the portal venous phase."""

    liver: float
    spleen: float
    cortex: float
    vessels: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> Enhancement:
        """Return values from nearly unenhanced to strongly enhanced; some livers are fatty."""
        phase = rng.uniform(0.35, 1.1)
        fatty = rng.gamma(1.0, 8.0)
        return cls(
            liver=52 + 58 * phase - min(fatty, 40) + rng.normal(0, 4),
            spleen=48 + 72 * phase + rng.normal(0, 4),
            cortex=40 + 140 * phase + rng.normal(0, 8),
            vessels=52 + 115 * phase + rng.normal(0, 6),
        )


def paint_organs(scene: Scene, torso: Torso, enhancement: Enhancement) -> Array:
    """Paint the organs around the liver.

    Returns:
        Signed distance (mm) to the organs that displace the liver.
    """
    inside = coverage(np.maximum(torso.cavity + 2, torso.dome + 3), scene.softness)
    _paint_bowel(scene, inside)
    stomach = _paint_stomach(scene, inside)
    _paint_pancreas(scene, enhancement, inside)
    _paint_spleen(scene, enhancement, stomach, inside)
    kidneys = [_paint_kidney(scene, torso, enhancement, side, inside) for side in (1, -1)]
    column = np.hypot(scene.x, scene.y - torso.spine - 3) - 30
    vena_cava = _paint_vessels(scene, torso, enhancement)
    return np.minimum.reduce([stomach - 2, *kidneys, column, vena_cava])


def _paint_spleen(scene: Scene, enhancement: Enhancement, stomach: Array, inside: Array) -> None:
    rng = scene.rng
    center = (-rng.normal(84, 4), -rng.normal(34, 5), rng.normal(28, 6))
    spleen = scene.ellipsoid(center, (rng.uniform(24, 34), rng.uniform(36, 50), 46.0))
    spleen = np.maximum(spleen + 2.5 * scene.noise(30), 4 - stomach)
    scene.paint(spleen, enhancement.spleen + 4 * scene.noise(8), inside)


def _paint_kidney(
    scene: Scene, torso: Torso, enhancement: Enhancement, side: int, inside: Array
) -> Array:
    """Paint a kidney with cortex, pyramids and a fatty sinus; return its signed distance."""
    rng = scene.rng
    center_x = side * rng.normal(60, 4)
    center_y = torso.spine + rng.normal(2, 4)
    center_z = rng.normal(-32, 7) - (7 if side > 0 else 0)
    x = side * (scene.x - center_x) - 0.16 * (scene.z - center_z)
    y, z = scene.y - center_y, scene.z - center_z
    radii = (rng.uniform(24, 29), rng.uniform(22, 27), rng.uniform(48, 58))
    kidney = shapes.ellipsoid((x, y, z), radii)
    hilum = shapes.ellipsoid((x + 27, y - 6, z), (19.0, 10.0, 17.0))
    kidney = np.maximum(kidney, -hilum)
    scene.paint(kidney, enhancement.cortex, inside)
    pyramids = kidney + 8 + 2.5 * np.sin(z / 4.5)
    scene.paint(pyramids, 0.6 * enhancement.cortex + 25, inside)
    sinus = shapes.ellipsoid((x + 6, y - 2, z), (13.0, 8.0, 24.0))
    scene.paint(sinus, FAT + 40, inside)
    return kidney - 3


def _paint_stomach(scene: Scene, inside: Array) -> Array:
    """Paint the stomach, with gas in front of fluid; return its signed distance."""
    rng = scene.rng
    fundus = scene.ellipsoid(
        (-rng.normal(52, 5), rng.normal(2, 6), rng.normal(42, 6)),
        (rng.uniform(28, 40), rng.uniform(28, 38), rng.uniform(26, 36)),
    )
    antrum = scene.ellipsoid(
        (-rng.normal(30, 6), rng.normal(38, 5), rng.normal(0, 7)),
        (rng.uniform(30, 44), rng.uniform(17, 24), rng.uniform(20, 30)),
    )
    stomach = shapes.union(fundus, antrum, 22.0) + 2 * scene.noise(25)
    content = np.where(scene.axes[1] > rng.uniform(12, 40), AIR + 20, WATER + 25)
    scene.paint(stomach, MUSCLE + 15, inside)
    scene.paint(stomach + 4, content + 8 * scene.noise(7), inside)
    return stomach


def _paint_pancreas(scene: Scene, enhancement: Enhancement, inside: Array) -> None:
    rng = scene.rng
    head, neck = (26.0, 8.0, rng.normal(-24, 4)), (2.0, 24.0, rng.normal(-8, 4))
    tail = (-rng.normal(62, 5), -8.0, rng.normal(14, 5))
    for start, end, radius in ((head, neck, 13.0), (neck, tail, 9.0)):
        scene.capsule(start, end, radius, 0.8 * enhancement.liver + 5, inside)


def _paint_bowel(scene: Scene, inside: Array) -> None:
    """Colon as a frame with gas and stool, loops of small bowel within it."""
    rng = scene.rng
    stool = scene.noise(7)
    front = rng.normal(52, 6)
    corners = [
        (rng.normal(88, 5), -18.0, -96.0), (rng.normal(84, 5), 12.0, -56.0),
        (rng.normal(30, 12), front, -46.0), (-rng.normal(40, 12), front, -36.0),
        (-rng.normal(90, 5), 10.0, -18.0), (-rng.normal(92, 5), -16.0, -96.0),
    ]  # fmt: skip
    for start, end in zip(corners, corners[1:]):
        scene.capsule(start, end, rng.uniform(16, 22), MUSCLE - 5.0, inside)
    gas = coverage(-stool - rng.uniform(-0.2, 0.5), 0.4)
    for start, end in zip(corners, corners[1:]):
        scene.capsule(start, end, 14.0, 15.0, inside)
        scene.capsule(start, end, 13.5, AIR + 60.0, inside * (1 - gas))
    for _ in range(rng.integers(9, 15)):
        x, y, z = rng.normal((-8, 26, -68), (40, 18, 18))
        over, forward, up = rng.normal(0, 20, 3)
        loop = (x, y, z), (x + over, y + forward, z + up)
        radius = rng.uniform(9, 13)
        scene.capsule(*loop, radius, rng.uniform(50, 90), inside)
        scene.capsule(*loop, radius - 4, rng.uniform(10, 40), inside)


def _paint_vessels(scene: Scene, torso: Torso, enhancement: Enhancement) -> Array:
    """Paint aorta and vena cava; return the signed distance to the vena cava."""
    rng = scene.rng
    aorta = shapes.ellipsoid(
        (scene.x + rng.normal(10, 2), scene.y - torso.spine - 28), (rng.uniform(9, 13), 10.5)
    )
    scene.paint(aorta, enhancement.vessels * 1.08)
    wall = np.maximum(np.abs(aorta) - 1.2, 0.4 - scene.noise(14))
    scene.paint(wall, 420.0, rng.random() * 0.8)
    vena_cava = shapes.ellipsoid(
        (scene.x - rng.normal(20, 2), scene.y - torso.spine - 27), (rng.uniform(11, 15), 9.0)
    )
    scene.paint(vena_cava, enhancement.vessels)
    return vena_cava
