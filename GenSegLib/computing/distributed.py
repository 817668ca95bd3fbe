"""Data-parallel training by several processes, each with its share of every batch.

`torchrun` starts the processes; they communicate by torch.distributed (gloo between CPUs, NCCL
between CUDA GPUs). Two operations make all of them compute the gradients of the whole batch, to any
order of differentiation:

    average_gradients   parameters that all processes share; their gradients are averaged
    global_sum          a sum over the whole batch, of which each process has a part (as for Dice)

With L_r the loss of process r, each derivative is that of the sum of all L_r, and its average over
the processes is the derivative of the mean loss. A single process never communicates.

The main process (rank 0) writes all files, and its clock and its view of the run folder decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from ..errors import GenSegError
from .torchrun import local_rank, restart_count


@contextmanager
def process_group() -> Iterator[None]:
    """Join the process group of torchrun; each process uses its own GPU, if there are any.

    Raises:
        GenSegError: the processes cannot reach each other, or one of them has ended.
    """
    try:
        _join()
        yield
    except RuntimeError as error:
        if not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        raise GenSegError(
            "lost connection to another process of this training; if it failed, its own message "
            "says why. `genseg resume RUN` continues from the last checkpoint"
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _join() -> None:
    if local_rank() < torch.cuda.device_count():
        torch.cuda.set_device(local_rank())
    store, rank_, size = next(dist.rendezvous("env://"))
    # torchrun may keep the store over a restart, with addresses of processes that have ended
    store = dist.PrefixStore(f"start {restart_count()}", store)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank_, world_size=size)


def require_own_gpu(device: torch.device) -> None:
    """Check that no two processes use the same GPU.

    Raises:
        GenSegError: they would.
    """
    if world_size() == 1 or device.type != "cuda":
        return
    if ":" in str(device):
        raise GenSegError(f"{device} is a single GPU; use --device cuda with torchrun")
    gpus = torch.cuda.device_count()
    if local_rank() >= gpus:
        raise GenSegError(
            f"torchrun started more processes on this machine than it has GPUs ({gpus}); "
            f"use --nproc-per-node {gpus}, or --device cpu"
        )


def world_size() -> int:
    """Return the number of processes; 1 for a single one."""
    return dist.get_world_size() if _is_active() else 1


def rank() -> int:
    """Return the rank of this process, from 0."""
    return dist.get_rank() if _is_active() else 0


def is_main_process() -> bool:
    """Return whether this is the process that writes files."""
    return rank() == 0


def local_batch_size(batch_size: int, name: str) -> int:
    """Return the samples per process of a batch.

    Raises:
        GenSegError: the batch cannot be split evenly; the message names its setting.
    """
    size = world_size()
    if batch_size % size:
        raise GenSegError(
            f"a batch of {batch_size} cannot be split evenly over {size} processes; use "
            f"--set {name}={-(-batch_size // size) * size}, or fewer processes"
        )
    return batch_size // size


def rank_generator(common: torch.Generator) -> torch.Generator:
    """Return the random generator of this process for a step, seeded from the common one.

    A single process uses the common generator itself.
    """
    if not _is_active():
        return common
    seed = int(torch.randint(2**31 - 2, (1,), generator=common))
    return torch.Generator().manual_seed(seed * world_size() + rank())


def average_gradients(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return shared parameters whose gradients are averaged over all processes."""
    if not _is_active() or not any(tensor.requires_grad for tensor in tensors):
        return list(tensors)
    result: tuple[torch.Tensor, ...] = _AverageGradients.apply(*tensors)
    return list(result)


def global_sum(part: torch.Tensor) -> torch.Tensor:
    """Return the differentiable sum of a tensor over all processes."""
    if not _is_active():
        return part
    result: torch.Tensor = _GlobalSum.apply(part)
    return result


def global_mean(values: Mapping[str, float]) -> dict[str, float]:
    """Return the mean of each value over all processes; NaN if it is NaN in any of them."""
    if not _is_active():
        return dict(values)
    sums = torch.tensor(list(values.values()), dtype=torch.double)
    dist.all_reduce(sums)
    return dict(zip(values, (sums / world_size()).tolist()))


def broadcast(value: Any) -> Any:
    """Return the main process's value, so that all processes take the same decision."""
    if not _is_active():
        return value
    values = [value]
    dist.broadcast_object_list(values, src=0)
    return values[0]


def barrier() -> None:
    """Wait until all processes have reached this call."""
    if _is_active():
        dist.barrier()


def _is_active() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


class _GlobalSum(torch.autograd.Function):
    """Sum over all processes; so is its derivative."""

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor) -> torch.Tensor:
        result = part.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = _GlobalSum.apply(*gradients)
        return result


class _AverageGradients(torch.autograd.Function):
    """Identity whose gradient is averaged over all processes."""

    @staticmethod
    def forward(ctx: Any, *shared: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(tensor.view_as(tensor) for tensor in shared)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, ...]:
        result: tuple[torch.Tensor, ...] = _Average.apply(*gradients)
        return result


class _Average(torch.autograd.Function):
    """Average over all processes, all tensors in one message; so is its derivative."""

    @staticmethod
    def forward(ctx: Any, *own: torch.Tensor) -> tuple[torch.Tensor, ...]:
        message = torch.cat([tensor.reshape(-1) for tensor in own])
        dist.all_reduce(message)
        message /= dist.get_world_size()
        parts = message.split([tensor.numel() for tensor in own])
        # keep the strides, since optimizers are faster if they equal those of the weights
        return tuple(
            torch.empty_like(tensor).copy_(part.view(tensor.shape))
            for tensor, part in zip(own, parts)
        )

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, ...]:
        result: tuple[torch.Tensor, ...] = _Average.apply(*gradients)
        return result
