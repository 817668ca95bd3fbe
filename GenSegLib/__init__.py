"""GenSeg: train 3-D segmentation models from a handful of labeled volumes."""

__version__ = "0.1.0"
