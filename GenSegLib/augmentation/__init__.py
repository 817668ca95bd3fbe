"""Augmentation of image-and-label batches, and of the masks that the generator draws from."""
