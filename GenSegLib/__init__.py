"""GenSeg: train 3-D segmentation models from a handful of labelled volumes."""

__version__ = "0.1.0"
