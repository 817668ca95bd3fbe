"""Networks: segmenters by name over MONAI, generators, and the discriminator."""

from .segmenters import build_segmenter, segmenter_args, segmenter_target

__all__ = ["build_segmenter", "segmenter_args", "segmenter_target"]
