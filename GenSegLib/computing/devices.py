"""Devices and numerical precision of computations."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import psutil
import torch
from torch import nn

from ..errors import GenSegError
from .instance_norm import replace_instance_norm
from .memory_format import CHANNELS_LAST, to_memory_format

Precision = Callable[[], AbstractContextManager[object]]

_GIB = 2**30
# in messages of PyTorch's allocators, which raise plain RuntimeErrors on CPUs
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")


@dataclass(frozen=True)
class Device:
    """A device: its `name` for `choose_device`, a display title, and its memory in GiB.

    `memory_gb` is None if it is unknown.
    """

    name: str
    title: str
    memory_gb: float | None


def list_devices() -> list[Device]:
    """Return the devices of this machine, first the one that `auto` selects."""
    devices = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        gpu = torch.cuda.get_device_properties(index)
        devices.append(Device(f"cuda:{index}", gpu.name, round(gpu.total_memory / _GIB, 1)))
    memory_gb = round(psutil.virtual_memory().total / _GIB, 1)
    devices.append(Device("cpu", f"CPU, {os.cpu_count() or 1} threads", memory_gb))
    if torch.backends.mps.is_available():
        devices.append(Device("mps", "Apple GPU (not tested)", None))
    return devices


def choose_device(name: str) -> torch.device:
    """Return the device for ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:NUMBER``.

    ``auto`` selects a CUDA GPU, else the CPU. MPS must be requested: it is untested, and older
    PyTorch lacks operations there that training needs (`matrix_exp`, the gradient of `grid_sample`
    in 3-D).

    Raises:
        GenSegError: the requested device does not exist.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise GenSegError(f"unknown device {name!r}; use auto, cpu, mps or cuda") from None
    if device.type == "cuda":
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= gpus:
            raise GenSegError(
                f"device {name} is not available: PyTorch finds {gpus} CUDA GPUs on this machine; "
                "use the device auto or cpu"
            )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise GenSegError("device mps is not available; use the device auto or cpu")
    return device


def cpu_capabilities() -> Mapping[str, object]:
    """Return the name and instruction sets of the CPU; empty before PyTorch 2.9."""
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return capabilities


def choose_precision(device: torch.device, precision: str) -> Precision:
    """Return the autocast context of forward passes: bfloat16 where the hardware benefits.

    ``auto`` means bfloat16 on CUDA GPUs and CPUs with units for it.
    """
    benefits: Mapping[str, Callable[[], bool]] = {
        "cuda": partial(_gpu_benefits_from_bfloat16, device),
        "cpu": _cpu_benefits_from_bfloat16,
        "mps": lambda: False,
    }
    if precision == "fp32" or (precision == "auto" and not benefits[device.type]()):
        return nullcontext
    return partial(torch.autocast, device.type, dtype=torch.bfloat16)


def _gpu_benefits_from_bfloat16(device: torch.device) -> bool:
    """Return whether a GPU has units for bfloat16; PyTorch also counts emulation."""
    if torch.version.hip:
        return torch.cuda.is_bf16_supported()
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _cpu_benefits_from_bfloat16() -> bool:
    """Return whether bfloat16 is faster than float32 on this CPU.

    With AVX-512 BF16 alone, training is no faster than in float32 on Intel CPUs and 1.2 to 1.8
    times as fast on AMD CPUs (``Docs/Results.md``, Speed and memory).
    """
    capabilities = cpu_capabilities()
    if "AMD" in str(capabilities.get("cpu_name")) and capabilities.get("avx512_bf16"):
        return True
    return any(capabilities.get(name) for name in ("amx_bf16", "bf16"))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that GPU or main memory is exhausted."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(s in str(error) for s in _OUT_OF_MEMORY)


def to_device(network: nn.Module, device: torch.device, memory_format: str = CHANNELS_LAST) -> None:
    """Move a network to a device and convert its weights to a memory format, in place."""
    if device.type == "cpu":
        replace_instance_norm(network)
    for parameter in network.parameters():
        parameter.data = to_memory_format(parameter.data, memory_format)
    network.to(device)
