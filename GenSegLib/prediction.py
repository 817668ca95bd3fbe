"""Applies a trained model to images."""

from __future__ import annotations

from .sliding import segment

__all__ = ["segment"]
