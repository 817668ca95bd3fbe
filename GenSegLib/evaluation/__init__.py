"""Evaluation of predictions against reference segmentations."""
