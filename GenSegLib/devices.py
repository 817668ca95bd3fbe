"""Which device and which number format a computation runs on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import nn

from .errors import GenSegError

Precision = Callable[[], AbstractContextManager[object]]


def choose_device(name: str) -> torch.device:
    """Return the device for ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:NUMBER``.

    ``auto`` takes a CUDA card, then Apple's MPS, then the CPU.

    Raises:
        GenSegError: the device that was asked for by name is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise GenSegError(f"no device is called {name!r}; use auto, cpu, mps or cuda") from None
    if device.type == "cuda":
        cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= cards:
            raise GenSegError(
                f"the device {name} was asked for and PyTorch finds {cards} CUDA cards here; "
                "use --device auto or --device cpu"
            )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise GenSegError("the device mps is not there; use --device auto or --device cpu")
    return device


def choose_precision(device: torch.device, precision: str) -> Precision:
    """Return a context for the forward passes: bfloat16 where the hardware gains by it.

    ``auto`` means bfloat16 on CUDA cards that have it and on CPUs with its instructions.
    """
    fitting = {
        "cuda": lambda: torch.cuda.is_bf16_supported(),
        "cpu": _cpu_gains_by_bfloat16,
        "mps": lambda: False,
    }
    if precision == "fp32" or (precision == "auto" and not fitting[device.type]()):
        return nullcontext
    return partial(torch.autocast, device.type, dtype=torch.bfloat16)


def to_device(network: nn.Module, device: torch.device, spatial_dims: int) -> None:
    """Move a network, its weights laid out channels last, which convolutions are faster on."""
    last = torch.channels_last_3d if spatial_dims == 3 else torch.channels_last
    for parameter in network.parameters():
        if parameter.ndim == spatial_dims + 2:
            parameter.data = parameter.data.contiguous(memory_format=last)
    network.to(device)


def _cpu_gains_by_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
