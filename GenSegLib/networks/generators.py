"""Generators by name; see :class:`.image_generator.ImageGenerator`."""

from __future__ import annotations

from .convolution import fix_small_grid_gradients
from .image_generator import GeneratorConfig, ImageGenerator
from .searchable import MaskOnlyGenerator, SearchableGenerator

GENERATORS: dict[str, type[ImageGenerator]] = {
    "searchable": SearchableGenerator,
    "mask-only": MaskOnlyGenerator,
}


def build_generator(name: str, config: GeneratorConfig) -> ImageGenerator:
    """Return a new generator of ``GENERATORS``."""
    return fix_small_grid_gradients(GENERATORS[name](config))
