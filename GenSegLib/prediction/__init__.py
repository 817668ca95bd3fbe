"""From an image to its segmentation, in the memory that there is."""
