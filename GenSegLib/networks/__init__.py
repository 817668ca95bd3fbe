"""The networks: segmenters by name over MONAI, the searchable generator and its discriminator."""

from .segmenters import build_segmenter, segmenter_args, segmenter_target

__all__ = ["build_segmenter", "segmenter_args", "segmenter_target"]
