"""Augmentation of image-label batches, and sampling of new pairs between registered cases."""
