"""A liver with lesions in an abdominal CT: Hounsfield units, labels Liver and Lesion.

Array axes are right, front, up (RAS), mm. `torso` paints the trunk, `organs` its other organs; the
anatomy does not depend on the grid.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data.image_io import Volume
from ..errors import GenSegError
from . import rendering, shapes
from .organs import Enhancement, paint_organs
from .rendering import coverage
from .shapes import Array
from .torso import WATER, Point, Scene, Torso, paint_torso

LABELS = {1: "Liver", 2: "Lesion"}
MODALITY = "CT"
SUFFIX = ".nii.gz"
SIZE = (96, 96, 64)
SPACING = (3.0, 3.0, 3.0)
MIN_FIELD_OF_VIEW = 120.0  # mm, along each axis


def generate(
    rng: np.random.Generator,
    size: Sequence[int] = SIZE,
    spacing: Sequence[float] = SPACING,
) -> tuple[Volume, Volume]:
    """Generate an image in HU and its label, each (1, x, y, z).

    Args:
        rng: random generator of all that varies between cases.
        size: voxels along x, y and z.
        spacing: mm along x, y and z; the default field of view is 288 by 288 by 192 mm.

    Raises:
        GenSegError: the field of view is too small to hold a liver.
    """
    _check_field_of_view(size, spacing)
    scene = Scene(rng, size, spacing)
    torso = paint_torso(scene)
    enhancement = Enhancement.random(rng)
    obstacles = paint_organs(scene, torso, enhancement)
    liver = _shape(scene, torso, obstacles)
    _paint_gallbladder(scene, liver)
    scene.paint(liver, enhancement.liver + 5 * scene.noise(9) + 3 * scene.noise(25))
    _paint_veins(scene, liver, enhancement)
    label = (liver < 0).astype(np.int16)
    _add_lesions(scene, liver, label, enhancement.liver)
    image = _acquire(scene)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = [-(count - 1) / 2 * step for count, step in zip(size, spacing)]
    return Volume(image[None], affine), Volume(label[None], affine.copy())


def _check_field_of_view(size: Sequence[int], spacing: Sequence[float]) -> None:
    if min(count * step for count, step in zip(size, spacing)) < MIN_FIELD_OF_VIEW:
        raise GenSegError(
            f"a grid of {tuple(size)} voxels of {tuple(spacing)} mm is too small for a liver; "
            f"choose at least {MIN_FIELD_OF_VIEW:.0f} mm along each axis"
        )


def _shape(scene: Scene, torso: Torso, obstacles: Array) -> Array:
    """Return the signed distance: right and left lobe, cut by the visceral surface."""
    rng = scene.rng
    right = scene.ellipsoid(
        (rng.normal(52, 4), rng.normal(0, 4), rng.normal(16, 5)),
        (rng.uniform(72, 84), rng.uniform(84, 98), rng.uniform(78, 92)),
    )
    left = scene.ellipsoid(
        (-rng.normal(4, 7), rng.normal(34, 5), rng.normal(36, 5)),
        (rng.uniform(54, 80), rng.uniform(38, 50), rng.uniform(34, 46)),
    )
    bottom = rng.normal(-16, 7) - rng.uniform(0.52, 0.74) * scene.x
    bottom = bottom + 0.6 * np.maximum(0, -20 - scene.y)  # higher behind, above the kidney
    visceral = 0.74 * (bottom - scene.z) + 6 * scene.noise(45)
    lobes = shapes.intersection(shapes.union(right, left, 16.0), visceral, 14.0)
    enclosed = np.maximum(torso.cavity + 2.5, torso.dome + 3.0)
    return shapes.intersection(np.maximum(lobes, enclosed), -obstacles, 6.0)


def _paint_gallbladder(scene: Scene, liver: Array) -> None:
    """Paint a sac below the right lobe; the liver is painted over it."""
    rng = scene.rng
    if rng.random() < 0.15:  # removed
        return
    surface = np.argwhere((np.abs(liver) < 2 * scene.softness) & (scene.axes[2] < 0))
    near = [i for i in surface if 20 < scene.axes[0][tuple(i)] < 60 and scene.axes[1][tuple(i)] > 0]
    if not near:
        return
    place = tuple(near[rng.integers(len(near))])
    center = tuple(float(axis[place]) for axis in (scene.x, scene.y, scene.z))
    sac = scene.ellipsoid((center[0], center[1], center[2] - 10), (13.0, 17.0, 22.0))
    scene.paint(sac - 2, 45.0)
    scene.paint(sac, WATER + 4.0)


def _paint_veins(scene: Scene, liver: Array, enhancement: Enhancement) -> None:
    """Paint the portal tree and the hepatic veins, clipped to the liver."""
    rng = scene.rng
    within = coverage(liver + 3, scene.softness)
    value = enhancement.vessels
    hilum: Point = (24.0, 6.0, -4.0)
    scene.capsule((4.0, 14.0, -30.0), hilum, 7.0, value, coverage(-liver, scene.softness))
    for direction in ((0.9, -0.1, 0.25), (0.7, 0.4, -0.3), (-0.5, 0.6, 0.8)):
        _branch(scene, hilum, np.array(direction), 6.0, value, within)
    confluence: Point = (18.0, -12.0, 56.0)
    for direction in ((0.95, -0.1, -0.5), (0.6, 0.6, -0.6), (-0.4, 0.8, -0.3)):
        _branch(scene, confluence, np.array(direction) + rng.normal(0, 0.1, 3), 5.0, value, within)


def _branch(
    scene: Scene, start: Point, direction: Array, radius: float, value: float, within: Array
) -> None:
    """Paint a vessel that branches until it is too thin to be visible."""
    if radius < 1.6:
        return
    rng = scene.rng
    direction = direction / np.linalg.norm(direction)
    reach = direction * radius * rng.uniform(4.5, 7.0)
    end = (start[0] + reach[0], start[1] + reach[1], start[2] + reach[2])
    scene.capsule(start, end, radius, value, within)
    for _ in range(2):
        turned = direction + rng.normal(0, 0.42, 3)
        _branch(scene, end, turned, radius * rng.uniform(0.62, 0.80), value, within)


def _add_lesions(scene: Scene, liver: Array, label: Array, parenchyma: float) -> None:
    """Paint 1 to 6 lesions of 4 to 25 mm radius into image and label, in place."""
    rng = scene.rng
    rough = scene.noise(14)
    for _ in range(1 + rng.binomial(5, 0.35)):
        radius = float(np.clip(rng.lognormal(np.log(11.5), 0.45), 4, 25))
        radius = max(radius, 1.5 * max(scene.spacing))
        depth = np.argwhere(liver < -0.7 * radius)
        places = depth if len(depth) else np.argwhere(liver <= liver.min())
        place = tuple(places[rng.integers(len(places))])
        offsets = [axis - axis[place] for axis in (scene.x, scene.y, scene.z)]
        shape = shapes.ellipsoid(offsets, [radius * rng.uniform(0.8, 1.25) for _ in range(3)])
        lesion = np.maximum(shape + 0.25 * radius * rough, liver)
        _paint_lesion(scene, lesion, radius, parenchyma)
        label[lesion < 0] = 2


def _paint_lesion(scene: Scene, lesion: Array, radius: float, parenchyma: float) -> None:
    """Paint a metastasis with a darker core, a cyst, or a hypervascular tumor."""
    rng = scene.rng
    kind = rng.choice(3, p=(0.75, 0.13, 0.12))
    share = coverage(lesion, scene.softness + 0.2 * radius * (kind == 0))
    contrast = (-rng.uniform(28, 58), WATER - parenchyma, rng.uniform(28, 50))[kind]
    rendering.paint(scene.image, share, parenchyma + contrast + 5 * scene.noise(5))
    if kind == 0 and radius > 9:
        core = coverage(lesion + 0.5 * radius, 0.4 * radius)
        rendering.paint(scene.image, core, parenchyma + contrast - rng.uniform(5, 22))


def _acquire(scene: Scene) -> Array:
    """Simulate the scanner: reconstruction kernel, correlated noise, 12-bit range of HU."""
    rng = scene.rng
    image = rendering.blur(scene.image, rng.uniform(0.25, 0.5) * scene.softness, scene.spacing)
    grain = rng.standard_normal(scene.size, dtype=np.float32)
    grain = rendering.blur(grain, rng.uniform(0.4, 0.7) * scene.softness, scene.spacing)
    image = image + grain * np.float32(rng.uniform(7, 18) / grain.std())
    return np.clip(np.rint(image), -1024, 3071).astype(np.float32)
