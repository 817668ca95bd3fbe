"""Trainings in processes of their own, which can be killed at any moment.

The processes are forked, so that none pays for importing PyTorch: on POSIX systems only.
"""

from __future__ import annotations

import os
import signal
import time

import torch
from tiny_training import trained

from GenSegLib.runs import RunFolder

_LOOK_EVERY_S = 0.002

torch.optim.Adam([torch.zeros(1)])  # imports seconds of PyTorch's code, here once for all lives


def live(run: RunFolder, *, resume: bool, kill_after_s: float = float("inf")) -> bool:
    """Train in a process of its own; tell whether it came to its end before it was killed."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            trained(run, resume=resume)
            code = 0
        finally:
            os._exit(code)
    end = time.monotonic() + kill_after_s
    while time.monotonic() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            if os.waitstatus_to_exitcode(status):
                raise RuntimeError(f"the training of {run.path} failed by itself")
            return True
        time.sleep(_LOOK_EVERY_S)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return False
