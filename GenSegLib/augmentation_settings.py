"""Strengths of the augmentation of a preset, as data. Light: the standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from .settings import at_least, between, setting, validate


@dataclass(frozen=True)
class Augmentation:
    """How strongly images of a preset are augmented; 0 turns a transform off.

    Attributes:
        rotation: standard deviation about each axis, in radians.
        turned: fraction of slices, or of volumes of thick slices, that are turned by any angle in
            the plane.
        scale: standard deviation of the log zoom.
        elastic: standard deviation of elastic displacements, as a fraction of the field of view.
        contrast: standard deviation of log contrast and of brightness, common to all colors.
        gamma: standard deviation of the log exponent.
        noise: largest standard deviation of Gaussian noise.
        saturation: standard deviation of the log saturation of color images.
        hue: standard deviation of the rotation of colors about gray, in radians.
        white_balance: standard deviation of the log gain of red relative to blue.
        highlights: largest opacity of specular highlights, as on wet surfaces.
        hair: largest opacity of hair.
        speckle: largest standard deviation of speckle relative to the intensity (ultrasound).
        time_gain: standard deviation of the log gain along the depth (ultrasound).
    """

    rotation: float = setting(at_least(0), 0.22)
    turned: float = setting(between(0, 1), 0.0)
    scale: float = setting(at_least(0), 0.18)
    elastic: float = setting(at_least(0), 0.052)
    contrast: float = setting(at_least(0), 0.22)
    gamma: float = setting(at_least(0), 0.38)
    noise: float = setting(at_least(0), 0.3)
    saturation: float = setting(at_least(0), 0.0)
    hue: float = setting(at_least(0), 0.0)
    white_balance: float = setting(at_least(0), 0.0)
    highlights: float = setting(at_least(0), 0.0)
    hair: float = setting(at_least(0), 0.0)
    speckle: float = setting(at_least(0), 0.0)
    time_gain: float = setting(at_least(0), 0.0)

    def __post_init__(self) -> None:
        """Validate the strengths."""
        validate(self)
