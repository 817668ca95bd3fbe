"""Trained models on disk: written, verified, read, and exported for other programs."""
