"""Environment of a process started by `torchrun`.

Light: the standard library only.
"""

from __future__ import annotations

import os


def is_distributed() -> bool:
    """Return whether torchrun started this process as one of several."""
    return _is_torchrun() and _read("WORLD_SIZE", 1) > 1


def local_rank() -> int:
    """Return the index of this process on its machine, from 0."""
    return _read("LOCAL_RANK", 0)


def restart_count() -> int:
    """Return how often torchrun has restarted the processes after one had failed."""
    return _read("TORCHELASTIC_RESTART_COUNT", 0) if _is_torchrun() else 0


def _is_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _read(name: str, default: int) -> int:
    return int(os.environ.get(name, default))
