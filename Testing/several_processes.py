"""Run functions in several processes of a distributed group, as torchrun does.

The processes are forked, which saves importing PyTorch and requires POSIX.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

torch.optim.Adam([torch.zeros(1)])  # imports more of PyTorch, once for all processes


def in_processes(count: int, function: Callable[[int], Any], folder: Path) -> list[Any]:
    """Return the results of `function(rank)` in `count` processes of a gloo group.

    Results are passed in files and may contain tensors and plain values only.
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
        rendezvous = f"file://{folder / 'rendezvous'}"
        dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=count)
        torch.save(function(rank), folder / f"{rank}.pt")
        dist.destroy_process_group()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
