"""What sound values are, for settings that are read from files; light."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

SMALLEST_SPACING, LARGEST_SPACING = 0.01, 50.0


def is_number(value: object) -> bool:
    """Tell whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def is_count(value: object) -> bool:
    """Tell whether a value is a whole number of 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_spacing(values: Sequence[object], dims: int) -> bool:
    """Tell whether values are a spacing in mm that an image can have."""
    return len(values) == dims and all(
        isinstance(size, (int, float)) and SMALLEST_SPACING <= size <= LARGEST_SPACING
        for size in values
    )
