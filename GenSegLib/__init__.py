"""GenSeg: train 2-D and 3-D segmentation models from a handful of labeled cases."""

__version__ = "0.1.0"
