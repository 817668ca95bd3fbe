"""Which device and which number format a computation runs on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from ..errors import GenSegError
from ..networks.instance_norm import normalize_sample_by_sample
from .memory_format import CHANNELS_LAST, laid_out

Precision = Callable[[], AbstractContextManager[object]]

_GIB = 2**30
# how PyTorch's allocators say it, which raise plain errors on CPUs
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")


@dataclass(frozen=True)
class Device:
    """What a computation can run on: its `name` for `choose_device`, a title for people.

    `memory_gb` (GiB) is None where it is not known.
    """

    name: str
    title: str
    memory_gb: float | None


def list_devices() -> list[Device]:
    """Give the devices of this machine, the one that `auto` takes first."""
    cards = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    processor = Device("cpu", f"CPU, {os.cpu_count() or 1} threads", _main_memory_gb())
    devices = [*(_describe_card(index) for index in cards), processor]
    if torch.backends.mps.is_available():
        devices.append(Device("mps", "Apple GPU (not tested)", None))
    return devices


def _describe_card(index: int) -> Device:
    card = torch.cuda.get_device_properties(index)
    return Device(f"cuda:{index}", card.name, round(card.total_memory / _GIB, 1))


def _main_memory_gb() -> float | None:
    """Give the memory of the machine where the system tells it to Python (not on Windows)."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB, 1)
    except (AttributeError, ValueError, OSError):
        return None


def choose_device(name: str) -> torch.device:
    """Return the device for ``auto``, ``cpu``, ``mps``, ``cuda`` or ``cuda:NUMBER``.

    ``auto`` takes a CUDA card, then the CPU. Apple's MPS has to be asked for: nothing here was
    run on it, and older PyTorch lacks operations there that trainings need (`matrix_exp`, the
    gradient of `grid_sample` in 3-D).

    Raises:
        GenSegError: the device that was asked for by name is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise GenSegError(f"no device is called {name!r}; use auto, cpu, mps or cuda") from None
    if device.type == "cuda":
        cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= cards:
            raise GenSegError(
                f"the device {name} was asked for and PyTorch finds {cards} CUDA cards here; "
                "choose the device auto or cpu"
            )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise GenSegError("the device mps is not there; choose the device auto or cpu")
    return device


def cpu_capabilities() -> Mapping[str, object]:
    """Return what this processor is and can do, by PyTorch's names; PyTorch 2.8 cannot tell."""
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return capabilities


def _card_gains_by_bfloat16(device: torch.device) -> bool:
    """Tell whether a card has units for it; PyTorch says yes where it would merely imitate them."""
    if torch.version.hip:
        return torch.cuda.is_bf16_supported()
    return torch.cuda.get_device_capability(device) >= (8, 0)


def choose_precision(device: torch.device, precision: str) -> Precision:
    """Return a context for the forward passes: bfloat16 where the hardware gains by it.

    ``auto`` means bfloat16 on CUDA cards that have it and on CPUs that have units for it.
    """
    fitting: Mapping[str, Callable[[], bool]] = {
        "cuda": partial(_card_gains_by_bfloat16, device),
        "cpu": _cpu_gains_by_bfloat16,
        "mps": lambda: False,
    }
    if precision == "fp32" or (precision == "auto" and not fitting[device.type]()):
        return nullcontext
    return partial(torch.autocast, device.type, dtype=torch.bfloat16)


@contextmanager
def deterministic(asked: bool) -> Iterator[None]:
    """Let the same seed give the same result to the bit on a graphics card, too, for a while.

    On the CPU it does so anyway. On CUDA what can be computed in order is, at some cost in time
    (https://docs.pytorch.org/docs/stable/notes/randomness.html).

    Raises:
        GenSegError: in the block, something is computed that the device has no such way for.
    """
    if not asked:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    except RuntimeError as fault:
        if "deterministic" not in str(fault):
            raise
        what = str(fault).split()[0]
        raise GenSegError(
            f"this device has no deterministic way to compute {what}; train with --device cpu, or "
            "without --deterministic"
        ) from fault
    finally:
        torch.use_deterministic_algorithms(before)


def where_in_order(device: torch.device) -> torch.device:
    """Return where to compute what the device has no deterministic way for: there, or the CPU.

    It is the device itself unless `deterministic` is asked for.
    """
    return torch.device("cpu") if torch.are_deterministic_algorithms_enabled() else device


def is_out_of_memory(fault: BaseException) -> bool:
    """Tell whether a device or the processor had no memory left."""
    if isinstance(fault, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return isinstance(fault, RuntimeError) and any(s in str(fault) for s in _OUT_OF_MEMORY)


def to_device(network: nn.Module, device: torch.device, memory_format: str = CHANNELS_LAST) -> None:
    """Move a network, its weights laid out in a memory format."""
    if device.type == "cpu":
        normalize_sample_by_sample(network)
    for parameter in network.parameters():
        parameter.data = laid_out(parameter.data, memory_format)
    network.to(device)


def _cpu_gains_by_bfloat16() -> bool:
    """Tell whether there are units for it; float32 is right on any processor.

    With AVX-512's instructions for it alone, trainings are no faster than in float32 on Intel's
    processors and 1.2 to 1.8 times as fast on AMD's (``Testing/Benchmarks/network_speed.py``).
    """
    capabilities = cpu_capabilities()
    if "AMD" in str(capabilities.get("cpu_name")) and capabilities.get("avx512_bf16"):
        return True
    return any(capabilities.get(name) for name in ("amx_bf16", "bf16"))
