"""Inference: from an image to its segmentation on the image's own grid."""
