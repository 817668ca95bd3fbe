"""The generators by name, behind one interface: :class:`.image_generator.ImageGenerator`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .convolution import right_on_small_grids
from .diffusion import DiffusionGenerator
from .generator import Generator, MaskGenerator
from .image_generator import ImageGenerator
from .spade import SpadeGenerator
from .vae import VaeGenerator

SEARCHABLE = {"searchable": Generator, "mask-only": MaskGenerator}
FIXED: dict[str, Callable[..., ImageGenerator]] = {
    "spade": SpadeGenerator,
    "vae": VaeGenerator,
    "diffusion": DiffusionGenerator,
}
GENERATORS = (*SEARCHABLE, *FIXED)


def build_generator(
    name: str,
    classes: int,
    channels: int = 1,
    spatial_dims: int = 3,
    *,
    space: str = "light",
    coordinates: bool = False,
    bounded: bool = False,
) -> ImageGenerator:
    """Return a new generator.

    Args:
        name: one of ``GENERATORS``.
        classes: classes of the one-hot masks, background included.
        channels: image channels.
        spatial_dims: 2 or 3.
        space: the search space of cells, for the generators that have any.
        coordinates: also see where a voxel lies.
        bounded: keep images from 0 to 1, as windowed ones are.
    """
    sizes = (classes, channels, spatial_dims)
    build = partial(SEARCHABLE[name], space=space) if name in SEARCHABLE else FIXED[name]
    return right_on_small_grids(build(*sizes, coordinates=coordinates, bounded=bounded))
