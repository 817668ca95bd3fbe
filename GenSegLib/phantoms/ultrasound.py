"""A lesion of the breast in a gray ultrasound image with a linear probe.

Echoes of many scatterers interfere: the amplitude of speckle follows a Rayleigh distribution, and
its grains are wider than deep, more so in the depth. Images show the logarithm of the amplitude.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..images.volume import Volume
from .canvas import Canvas, as_case
from .shapes import Array

LABELS = {1: "Lesion"}
MODALITY = "ultrasound"
SUFFIX = ".png"
SIZE = (224, 192)

_DYNAMIC_DB = 60.0
_FAT_DB, _GLAND_DB, _MUSCLE_DB, _SKIN_DB = -37.0, -27.0, -33.0, -14.0


def generate(rng: np.random.Generator, size: tuple[int, int] = SIZE) -> tuple[Volume, Volume]:
    """Generate an image (1, x, y, 1) and the mask of its lesion, in pixels.

    Args:
        rng: random generator of all that varies between cases.
        size: pixels along x and y, the depth.
    """
    canvas = Canvas(rng, size)
    echo = _paint_tissue(canvas)
    distance = _lesion_outline(canvas)
    echo = _paint_lesion(canvas, echo, distance)
    echo = echo + _shadows(canvas, distance) + _attenuation(canvas)
    amplitude = _speckle(canvas) * 10 ** (echo / 20)
    level = 20 * np.log10(amplitude + 1e-4) + _DYNAMIC_DB + rng.uniform(-3, 5)
    image = ndimage.gaussian_filter(255 * level / _DYNAMIC_DB, 0.7)
    return as_case(np.clip(image, 4, 245), distance < 0)


def _paint_tissue(canvas: Canvas) -> Array:
    """Return the echo in dB: skin, fat with septa, glandular tissue, and muscle in the depth."""
    rng, (width, height) = canvas.rng, canvas.size
    y = canvas.coordinates[1]
    depths = np.cumsum([rng.uniform(0.03, 0.06), rng.uniform(0.1, 0.25), rng.uniform(0.3, 0.5)])
    waves = [height * rng.uniform(0.02, 0.06) * canvas.field(width / 2.5) for _ in range(3)]
    skin, fat, gland = (
        y - height * depth - wave * k for k, (depth, wave) in enumerate(zip(depths, waves))
    )
    echo = np.full(canvas.size, _SKIN_DB, np.float32)
    layers = (
        (skin, _FAT_DB),
        (fat, _GLAND_DB + 6 * canvas.field(40) + 4 * canvas.field(14)),
        (gland, _MUSCLE_DB),
    )
    for depth, level in layers:
        fraction = 1 / (1 + np.exp(-depth / 1.5))
        echo = echo * (1 - fraction) + fraction * (
            level + 3 * canvas.field(18) + 2 * canvas.field(8)
        )
        echo += 13 * np.exp(-((depth / 1.6) ** 2)) * (0.8 + 0.5 * canvas.field(35))
    return echo + _septa(canvas)


def _septa(canvas: Canvas) -> Array:
    """Bright, nearly horizontal lines of connective tissue, in dB."""
    stretched = ndimage.gaussian_filter(
        canvas.rng.standard_normal(canvas.size).astype(np.float32), (18, 1.5)
    )
    x, y = canvas.coordinates
    bent = ndimage.map_coordinates(
        stretched, [x, y + 12 * canvas.field(60)], order=1, mode="reflect"
    )
    lines = bent / bent.std()
    return 13 * np.clip(lines - 0.8, 0, 1.4) - 5 * np.clip(-lines - 0.6, 0, 1.5)


def _lesion_outline(canvas: Canvas) -> Array:
    rng, (width, height) = canvas.rng, canvas.size
    across = width * rng.uniform(0.07, 0.22)
    center = (width * rng.uniform(0.3, 0.7), height * rng.uniform(0.28, 0.6))
    radii = (across, across * rng.uniform(0.5, 0.95))
    smooth = rng.random() < 0.55
    return canvas.outline(
        center, radii, rng.uniform(0.05, 0.2) if smooth else rng.uniform(0.3, 0.6)
    )


def _paint_lesion(canvas: Canvas, echo: Array, distance: Array) -> Array:
    rng = canvas.rng
    is_cyst = rng.random() < 0.3
    level = rng.uniform(-62, -54) if is_cyst else rng.uniform(-50, -39)
    inside = level + (1 if is_cyst else 5) * canvas.field(12)
    softness = rng.uniform(0.8, 3.5)
    fraction = 1 / (1 + np.exp(distance / softness))
    rim = rng.uniform(0, 7) * np.exp(-(((distance - 2) / 2.5) ** 2)) * (0.6 + canvas.field(20))
    return echo * (1 - fraction) + fraction * inside + rim


def _shadows(canvas: Canvas, distance: Array) -> Array:
    """Enhancement or shadow behind the lesion and shadows of the surface, in dB."""
    rng, (width, _) = canvas.rng, canvas.size
    behind = np.cumsum(distance < 0, axis=1) * (distance > 0)
    column = ndimage.gaussian_filter1d(behind.astype(np.float32), 3, axis=0)
    lesion = rng.choice([-0.35, 0.0, 0.18, 0.25]) * np.minimum(column, 40)
    position, span = rng.uniform(0, width), rng.uniform(6, 25)
    x, y = canvas.coordinates
    surface = -rng.uniform(0, 14) * np.exp(-(((x - position) / span) ** 2)) * np.clip(y / 60, 0, 1)
    return lesion + surface


def _attenuation(canvas: Canvas) -> Array:
    """Loss with depth that the gain does not compensate, and a focal zone, in dB."""
    rng, (_, height) = canvas.rng, canvas.size
    depth = canvas.coordinates[1] / height
    focus = rng.uniform(0.25, 0.6)
    return -rng.uniform(4, 20) * depth**1.5 + 3 * np.exp(-(((depth - focus) / 0.2) ** 2))


def _speckle(canvas: Canvas) -> Array:
    """Amplitude of interfering echoes with mean 1; grains widen with the depth."""
    rng, (_, height) = canvas.rng, canvas.size
    waves = rng.standard_normal((2, *canvas.size)).astype(np.float32)
    near, far = (
        np.stack([ndimage.gaussian_filter(wave, (lateral, 0.8)) for wave in waves])
        for lateral in (1.2, 2.4)
    )
    depth = canvas.coordinates[1] / height
    mixed = (1 - depth) * near / near.std() + depth * far / far.std()
    mixed /= np.sqrt((1 - depth) ** 2 + depth**2)
    amplitude = np.hypot(*mixed)
    return amplitude / amplitude.mean()
