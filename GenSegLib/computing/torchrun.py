"""What `torchrun` told this process of the others that it started.

Light: the standard library alone.
"""

from __future__ import annotations

import os


def is_one_of_several() -> bool:
    """Tell whether torchrun started this process and others beside it."""
    return _is_started_by_torchrun() and _number("WORLD_SIZE", 1) > 1


def local_rank() -> int:
    """Give this process's place among those of its machine, from 0."""
    return _number("LOCAL_RANK", 0)


def restarts() -> int:
    """Give how often torchrun has started this work anew, after a process of it had failed."""
    return _number("TORCHELASTIC_RESTART_COUNT", 0) if _is_started_by_torchrun() else 0


def _is_started_by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name, default))
