"""Several processes that train one model together, each on its own share of every batch.

PyTorch's engine carries the messages (gloo between CPUs, NCCL between CUDA cards); `torchrun`
starts the processes. Each computes what a single process would, with two exceptions, and both
differentiate as often as a hypergradient asks for:

    in_common   weights that all processes hold alike; their gradients are averaged
    summed      a sum over the whole batch, as Dice is made of, of which each has a part

With L_r the loss of process r, everything is a derivative of the sum of all L_r, and the average
of what the processes find for a common weight is the derivative of their mean: that of the whole
batch. A process that is alone calls none of this engine, and computes what it always did.

The leader (rank 0) alone writes, and its clock and its view of the run folder decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist

from ..errors import GenSegError
from .torchrun import local_rank, restarts


@contextmanager
def joined() -> Iterator[None]:
    """Be one of the processes that torchrun started, for a while.

    Each process of a machine takes a CUDA card of its own, where there are any.

    Raises:
        GenSegError: the processes cannot reach each other, or one has ended.
    """
    try:
        _meet()
        yield
    except RuntimeError as fault:
        if not _is_of_the_engine(fault):
            raise
        raise GenSegError(
            "another process of this training cannot be reached or has ended; where it did, its "
            "own message says why. `genseg resume RUN` goes on from the last checkpoint"
        ) from fault
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _meet() -> None:
    if local_rank() < torch.cuda.device_count():
        torch.cuda.set_device(local_rank())
    store, place, processes = next(dist.rendezvous("env://"))
    # torchrun may keep the store for a restart, with the addresses of those that have ended
    store = dist.PrefixStore(f"start {restarts()}", store)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=place, world_size=processes)


def _is_of_the_engine(fault: RuntimeError) -> bool:
    return isinstance(fault, dist.DistError) or "gloo" in str(fault)


def require_own_card(device: torch.device) -> None:
    """Make sure that no other process beside this one computes on the same CUDA card.

    Raises:
        GenSegError: it does.
    """
    if count() == 1 or device.type != "cuda":
        return
    cards = torch.cuda.device_count()
    if ":" in str(device):
        raise GenSegError(f"{device} is one card, for one process; with torchrun say --device cuda")
    if local_rank() >= cards:
        raise GenSegError(
            f"torchrun started more processes on this machine than it has CUDA cards ({cards}); "
            f"say --nproc-per-node {cards}, or --device cpu"
        )


def count() -> int:
    """Give how many processes train together; 1 for one that is alone."""
    return dist.get_world_size() if _are_several() else 1


def rank() -> int:
    """Give this process's place among them, from 0."""
    return dist.get_rank() if _are_several() else 0


def leads() -> bool:
    """Tell whether this is the process that writes."""
    return rank() == 0


def share_of(whole: int, name: str) -> int:
    """Give how many samples of a batch this process computes.

    Raises:
        GenSegError: the batch cannot be shared evenly; the message names its setting.
    """
    if whole % count():
        raise GenSegError(
            f"a batch of {whole} cannot be shared evenly by {count()} processes; say "
            f"--set {name}={-(-whole // count()) * count()}, or start fewer processes"
        )
    return whole // count()


def own_stream(common: torch.Generator) -> torch.Generator:
    """Return what this process draws a step's samples from; alone, what all draw from in common."""
    if not _are_several():
        return common
    seed = int(torch.randint(2**31 - 2, (1,), generator=common))
    return torch.Generator().manual_seed(seed * count() + rank())


def in_common(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return weights that all processes hold alike; gradients that reach them are averaged."""
    if not _are_several() or not any(tensor.requires_grad for tensor in tensors):
        return list(tensors)
    found: tuple[torch.Tensor, ...] = _InCommon.apply(*tensors)
    return list(found)


def summed(part: torch.Tensor) -> torch.Tensor:
    """Return the sum of all processes' tensors of this shape."""
    if not _are_several():
        return part
    found: torch.Tensor = _Sum.apply(part)
    return found


def averaged(values: Mapping[str, float]) -> dict[str, float]:
    """Return the mean over all processes of each value; none is a number where one is not."""
    if not _are_several():
        return dict(values)
    told = torch.tensor(list(values.values()), dtype=torch.double)
    dist.all_reduce(told)
    return dict(zip(values, (told / count()).tolist()))


def agreed(value: Any) -> Any:
    """Return the leader's value, so that all processes decide alike."""
    if not _are_several():
        return value
    told = [value]
    dist.broadcast_object_list(told, src=0)
    return told[0]


def wait() -> None:
    """Go on when all processes have come here."""
    if _are_several():
        dist.barrier()


def _are_several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


class _Sum(torch.autograd.Function):
    """The sum over all processes; its derivative is the same of the gradients."""

    @staticmethod
    def forward(ctx: Any, part: torch.Tensor) -> torch.Tensor:
        whole = part.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = _Sum.apply(*gradients)
        return found


class _InCommon(torch.autograd.Function):
    """The average over all processes of tensors that are alike: themselves, for no message."""

    @staticmethod
    def forward(ctx: Any, *alike: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(tensor.view_as(tensor) for tensor in alike)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found: tuple[torch.Tensor, ...] = _Average.apply(*gradients)
        return found


class _Average(torch.autograd.Function):
    """The average over all processes, of all tensors in one message."""

    @staticmethod
    def forward(ctx: Any, *own: torch.Tensor) -> tuple[torch.Tensor, ...]:
        message = torch.cat([tensor.reshape(-1) for tensor in own])
        dist.all_reduce(message)
        message /= dist.get_world_size()
        pieces = message.split([tensor.numel() for tensor in own])
        # laid out in memory as they came, since optimizers are faster on equal layouts
        return tuple(
            torch.empty_like(tensor).copy_(piece.view(tensor.shape))
            for tensor, piece in zip(own, pieces)
        )

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found: tuple[torch.Tensor, ...] = _Average.apply(*gradients)
        return found
