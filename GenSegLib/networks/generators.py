"""The generators by name, behind one interface: :class:`.image_generator.ImageGenerator`."""

from __future__ import annotations

from .convolution import right_on_small_grids
from .diffusion import DiffusionGenerator
from .generator import Generator, MaskGenerator
from .image_generator import Design, ImageGenerator
from .spade import SpadeGenerator
from .vae import VaeGenerator

GENERATORS: dict[str, type[ImageGenerator]] = {
    "searchable": Generator,
    "mask-only": MaskGenerator,
    "spade": SpadeGenerator,
    "vae": VaeGenerator,
    "diffusion": DiffusionGenerator,
}


def build_generator(name: str, design: Design) -> ImageGenerator:
    """Return a new generator, which is one of ``GENERATORS``."""
    return right_on_small_grids(GENERATORS[name](design))
