"""Trainings in processes of their own, which can be killed at any moment.

The processes are forked, so that none pays for importing PyTorch, and timed by /proc: on Linux
only.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tiny_training import trained

from GenSegLib.runs import RunFolder
from GenSegLib.training.phases import Training

_LOOK_EVERY_S = 0.005
_REACHED = mmap.mmap(-1, 8)  # shared with the forked processes: it tells what a killed one did

torch.optim.Adam([torch.zeros(1)])  # imports seconds of PyTorch's code, here once for all lives


@dataclass(frozen=True)
class Life:
    """What became of a process.

    `reached` is how many steps it had done when it began its last one, `computed_s` how long it
    had a core to itself.
    """

    finished: bool
    reached: int
    computed_s: float


def live(run: RunFolder, *, resume: bool, kill_after_s: float = float("inf")) -> Life:
    """Train in a process of its own, and kill that once it has computed so long.

    Its own time counts, so that kills lie alike in the training however busy the machine is.
    """
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
    finished, computed = False, 0.0
    while not finished and computed < kill_after_s:
        time.sleep(_LOOK_EVERY_S)
        computed = computed_s(process)
        finished = _has_ended(process)
    if not finished:
        time.sleep(random.uniform(0, _LOOK_EVERY_S))  # to hit it also where it waits for the disk
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    return Life(finished, *struct.unpack("q", _REACHED[:]), computed)


def _has_ended(process: int) -> bool:
    done, status = os.waitpid(process, os.WNOHANG)
    if done and os.waitstatus_to_exitcode(status):
        raise RuntimeError("a training failed by itself; its run tells why")
    return bool(done)


def computed_s(process: int) -> float:
    """The seconds that a process had a core to itself so far (Linux)."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def _note_steps() -> None:
    """Note each step of this process at its beginning, where the parent can read it."""
    step = Training._step

    def noted(training: Training, *arguments: Any) -> dict[str, float]:
        _REACHED[:] = struct.pack("q", training.done)
        return step(training, *arguments)

    Training._step = noted  # type: ignore[method-assign]
