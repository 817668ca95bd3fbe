"""What a CT can hold: signed values read as unsigned ones, or wrapped around, are found by it.

Extended Hounsfield scales run from -10240 to 30710. One single value below is a filling.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import GenSegError

_LEAST, _MOST = -10240.0, 32767.0


def require_hounsfield(place: Path, which: str, values: np.ndarray) -> None:
    """Make sure that the values of a CT are in Hounsfield units.

    Args:
        place: the folder or file that is to blame.
        which: what of it, for the message.
        values: of the voxels.

    Raises:
        GenSegError: no CT can hold such values.
    """
    low, high = float(values.min()), float(values.max())
    if low < _LEAST:
        beyond = np.unique(values[values < _LEAST])
        if beyond.size == 1:
            low = float(values[values >= _LEAST].min(initial=high))
    if low < _LEAST or high > _MOST:
        raise GenSegError(
            f"{place}: {which} holds {low:g} to {high:g}, which are no Hounsfield units; 16-bit "
            "values overflew? Export the series again"
        )
