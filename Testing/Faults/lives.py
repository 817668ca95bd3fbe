"""Trainings in processes of their own, which can be killed at any moment.

The processes are forked, so that none pays for importing PyTorch: on POSIX systems only.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import time
from dataclasses import dataclass
from typing import Any

import torch
from tiny_training import trained

from GenSegLib.runs import RunFolder
from GenSegLib.training import Training

_LOOK_EVERY_S = 0.005
_REACHED = mmap.mmap(-1, 8)  # shared with the forked processes: it tells what a killed one did

torch.optim.Adam([torch.zeros(1)])  # imports seconds of PyTorch's code, here once for all lives


@dataclass(frozen=True)
class Life:
    """What became of a process: whether it came to its end, and how many steps it had done when
    it began its last one."""

    finished: bool
    reached: int


def live(run: RunFolder, *, resume: bool, kill_after_s: float = float("inf")) -> Life:
    """Train in a process of its own, and kill that after a while if it has not ended."""
    _REACHED[:] = struct.pack("q", 0)
    process = os.fork()
    if process == 0:
        code = 1
        try:
            _note_steps()
            trained(run, resume=resume)
            code = 0
        finally:
            os._exit(code)
    finished = _ends_by_itself(process, time.monotonic() + kill_after_s)
    return Life(finished, *struct.unpack("q", _REACHED[:]))


def _ends_by_itself(process: int, end: float) -> bool:
    while time.monotonic() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            if os.waitstatus_to_exitcode(status):
                raise RuntimeError("a training failed by itself; its run tells why")
            return True
        time.sleep(_LOOK_EVERY_S)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return False


def _note_steps() -> None:
    """Note each step of this process at its beginning, where the parent can read it."""
    step = Training._step

    def noted(training: Training, *arguments: Any) -> dict[str, float]:
        _REACHED[:] = struct.pack("q", training.done)
        return step(training, *arguments)

    Training._step = noted  # type: ignore[method-assign]
