"""Functions run by several processes that train together, as torchrun would start them.

The processes are forked, so that none pays for importing PyTorch: on POSIX systems only.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

torch.optim.Adam([torch.zeros(1)])  # imports seconds of PyTorch's code, here once for all processes


def in_processes(count: int, function: Callable[[int], Any], folder: Path) -> list[Any]:
    """What `function(rank)` returns in each of `count` processes of one gloo group.

    The results go through files: tensors and plain values alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    processes = [_start(rank, count, function, folder) for rank in range(count)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
    assert codes == [0] * count
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(count)]


def _start(rank: int, count: int, function: Callable[[int], Any], folder: Path) -> int:
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        torch.set_num_threads(1)
        meeting = f"file://{folder / 'meeting'}"
        dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=count)
        torch.save(function(rank), folder / f"{rank}.pt")
        dist.destroy_process_group()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
