"""What the phantoms of 2-D images share: a canvas in pixels, outlines, textures and the result.

Arrays are (x, y) with x to the right and y downward, as in image files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..images.volume import LPS_TO_RAS, Volume
from .rendering import smooth_field
from .shapes import Array, rotate


@dataclass(frozen=True)
class Canvas:
    """An image to paint on, and the random numbers of its case.

    Attributes:
        rng: random generator.
        size: pixels along x and y.
    """

    rng: np.random.Generator
    size: tuple[int, int]

    @property
    def coordinates(self) -> tuple[Array, Array]:
        """Coordinates x and y of each pixel."""
        x, y = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in self.size), indexing="ij")
        return x, y

    def field(self, scale: float) -> Array:
        """Random field that varies over `scale` pixels; zero mean, deviation about 0.5."""
        return smooth_field(self.rng, (*self.size, 1), (1.0, 1.0, 1.0), scale)[..., 0]

    def texture(self, fine: float, coarse: float) -> Array:
        """Noise between two scales in pixels; zero mean, deviation 1."""
        noise = self.rng.standard_normal(self.size).astype(np.float32)
        band = ndimage.gaussian_filter(noise, fine) - ndimage.gaussian_filter(noise, coarse)
        return band / band.std()

    def outline(
        self, center: tuple[float, float], radii: tuple[float, float], roughness: float
    ) -> Array:
        """Distance in pixels, negative inside, to a rotated ellipse with an uneven border.

        Args:
            center: x and y.
            radii: along its own axes.
            roughness: 0 for a smooth ellipse, 1 for a jagged one.
        """
        x, y = self.coordinates
        turned = rotate(x - center[0], y - center[1], self.rng.uniform(0, np.pi))
        size = min(radii)
        distance = size * (np.hypot(turned[0] / radii[0], turned[1] / radii[1]) - 1)
        uneven = 0.5 * self.field(0.9 * size) + 0.2 * self.field(max(5.0, 0.3 * size))
        return distance + roughness * size * uneven


def as_case(pixels: Array, mask: Array) -> tuple[Volume, Volume]:
    """Return an image (x, y) or (x, y, color) of 0 to 255 and its mask as image and label.

    Holes are a part of the lesion, as people draw it.
    """
    colors = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    array = np.clip(np.rint(colors), 0, 255).astype(np.uint8).transpose(2, 0, 1)[..., np.newaxis]
    label = ndimage.binary_fill_holes(mask).astype(np.int16)[np.newaxis, ..., np.newaxis]
    image, drawn = (
        Volume(values, LPS_TO_RAS.copy(), has_position=False, unit="px")
        for values in (array, label)
    )
    return image, drawn
