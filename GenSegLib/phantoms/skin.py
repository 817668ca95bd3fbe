"""A pigmented lesion in a dermoscopic photo of the skin, in color."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..images.volume import Volume
from .canvas import Canvas, as_case
from .shapes import Array

LABELS = {1: "Lesion"}
MODALITY = "color"
SUFFIX = ".png"
SIZE = (256, 192)

_SKINS = np.array([(236, 205, 196), (228, 178, 160), (205, 150, 120), (150, 100, 75)], np.float32)
_PIGMENTS = np.array([(150, 85, 55), (110, 60, 40), (70, 42, 35), (45, 38, 42)], np.float32)
_RED, _BLUE = np.array([(205, 90, 90), (105, 110, 135)], np.float32)


def generate(rng: np.random.Generator, size: tuple[int, int] = SIZE) -> tuple[Volume, Volume]:
    """Generate a photo (3, x, y, 1) and the mask of its lesion, in pixels.

    Args:
        rng: random generator of all that varies between cases.
        size: pixels along x and y.
    """
    canvas = Canvas(rng, size)
    image = _paint_skin(canvas)
    distance = _lesion_outline(canvas)
    image = _paint_lesion(canvas, image, distance)
    for _ in range(rng.integers(0, 9) if rng.random() < 0.6 else 0):
        _paint_hair(canvas, image)
    image = _photograph(canvas, image)
    return as_case(image, distance < 0)


def _between(colors: Array, position: float) -> Array:
    """Return a color along a scale of colors, `position` from 0 to 1."""
    steps = np.linspace(0, 1, len(colors))
    return np.array([np.interp(position, steps, channel) for channel in colors.T], np.float32)


def _paint_skin(canvas: Canvas) -> Array:
    rng = canvas.rng
    tone = _between(_SKINS, float(rng.beta(1.2, 2.5)))
    redness = np.array([1.03, 0.92, 0.92], np.float32) ** rng.uniform(-0.5, 2.5)
    shade = 0.12 * canvas.field(120) + 0.04 * canvas.field(30) + 0.012 * canvas.texture(0.8, 3)
    image = tone * redness * (1 + shade[..., np.newaxis])
    spots = np.clip(canvas.field(25) + 0.4 * canvas.field(8) - rng.uniform(0.9, 1.6), 0, 0.5)
    return _blend(image, 0.7 * spots, image * (0.85, 0.72, 0.65))


def _lesion_outline(canvas: Canvas) -> Array:
    rng, (width, height) = canvas.rng, canvas.size
    radius = min(width, height) * rng.uniform(0.12, 0.36)
    radii = (radius * rng.uniform(0.95, 1.35), radius * rng.uniform(0.7, 1.0))
    center = (width * rng.uniform(0.38, 0.62), height * rng.uniform(0.4, 0.6))
    return canvas.outline(center, radii, rng.uniform(0.15, 0.9))


def _paint_lesion(canvas: Canvas, image: Array, distance: Array) -> Array:
    rng = canvas.rng
    dark = float(rng.uniform(0.0, 0.9))
    pigment = _between(_PIGMENTS, dark)
    tones = np.clip(0.5 + 0.55 * canvas.field(22) + 0.25 * canvas.field(9), 0, 1)[..., np.newaxis]
    color = (1 - tones) * pigment + tones * _between(_PIGMENTS, max(0.0, dark - 0.45))
    for extra, fraction in ((_RED, 0.35), (_BLUE, 0.25)):
        if rng.random() < fraction:
            patch = np.clip(canvas.field(25) * 1.5, 0, 0.8)
            color = _blend(color, patch, extra)
    network = canvas.texture(0.9, 2.2) * rng.uniform(0.03, 0.14)
    color = color * (1 + network[..., np.newaxis])
    softness = rng.uniform(1.0, 6.0)
    ragged = distance + 0.35 * softness * canvas.texture(1.2, 5)
    density = rng.uniform(0.45, 0.97) * (0.9 + 0.15 * np.clip(-distance / 20, 0, 1))
    return _blend(image, density / (1 + np.exp(2 * ragged / softness)), color)


def _paint_hair(canvas: Canvas, image: Array) -> None:
    """Draw a dark curved hair in position."""
    rng, size = canvas.rng, np.array(canvas.size)
    start, end = rng.uniform(-0.1, 1.1, (2, 2)) * size
    bend = (start + end) / 2 + rng.normal(0, 0.15, 2) * size
    t = np.linspace(0, 1, 4 * int(max(size)))[:, np.newaxis]
    points = np.rint((1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end).astype(int)
    points = points[((points >= 0) & (points < size)).all(axis=1)]
    line = np.zeros(canvas.size, np.float32)
    line[tuple(points.T)] = 1
    width = rng.uniform(0.35, 0.7)
    fraction = np.clip(ndimage.gaussian_filter(line, width) * 2.2 * width, 0, 0.8)
    image[...] = _blend(image, fraction, rng.uniform(25, 70) * np.array([1.1, 0.9, 0.8]))


def _photograph(canvas: Canvas, image: Array) -> Array:
    """Apply lighting, white balance, sometimes the round field of a dermatoscope, and noise."""
    rng, (width, height) = canvas.rng, canvas.size
    x, y = canvas.coordinates
    radius = np.hypot(x - width / 2, y - height / 2) / np.hypot(width / 2, height / 2)
    gain = rng.uniform(0.85, 1.08) * (1 - rng.uniform(0, 0.45) * radius**2)
    if rng.random() < 0.25:
        gain = gain / (1 + np.exp(60 * (radius - rng.uniform(0.78, 0.95))))
    balance = 1 + rng.normal(0, 0.03, 3)
    image = ndimage.gaussian_filter(image, (rng.uniform(0.4, 0.9),) * 2 + (0,))
    return image * gain[..., np.newaxis] * balance + rng.normal(0, 1.5, image.shape)


def _blend(image: Array, fraction: Array, color: Array) -> Array:
    part = fraction[..., np.newaxis]
    return image * (1 - part) + part * color
