"""Mean probabilities of networks, and what happens when memory runs out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from GenSegLib.errors import GenSegError
from GenSegLib.prediction.ensemble import CPU, EnsemblePredictor, OutOfMemoryFallback
from GenSegLib.prediction.sliding_window import SlidingWindows, iterate_slabs

# PyTorch distinguishes this device from `cpu` but computes on the CPU: it stands in for a GPU.
GPU = torch.device("cpu:0")
WINDOWS = SlidingWindows((16, 16, 40), (8, 8, 8), along=2)


class LimitedNetwork(nn.Module):
    """Runs out of memory for batches above a limit, until it is moved to the CPU."""

    def __init__(self, max_batch: int, fault: BaseException | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Conv3d(1, 3, 3, padding=1)
        self.max_batch, self.on_gpu = max_batch, True
        self.fault = fault or torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]
        """Called by `Module.to`."""
        self.on_gpu = False
        return super()._apply(fn, recurse)

    def forward(self, windows: Tensor) -> Tensor:
        if self.on_gpu and len(windows) > self.max_batch:
            raise self.fault
        return self.network(windows)


def image() -> Tensor:
    return torch.randn(1, 1, *WINDOWS.size, generator=torch.Generator().manual_seed(0))


def probabilities(predictor: EnsemblePredictor) -> Tensor:
    with torch.no_grad():
        return torch.cat([slab for *_, slab in iterate_slabs(predictor, image(), WINDOWS)], dim=3)


def fallback(network: nn.Module, log: list[str], batch_size: int = 4) -> OutOfMemoryFallback:
    return OutOfMemoryFallback([network], GPU, log.append, batch_size=batch_size)


def expected() -> Tensor:
    return probabilities(EnsemblePredictor([LimitedNetwork(100)], GPU))


def test_several_networks_are_averaged() -> None:
    networks = [nn.Conv3d(1, 2, 1) for _ in range(2)]
    windows = torch.randn(1, 1, 4, 4, 4)
    alone = [EnsemblePredictor([network], CPU)(windows) for network in networks]
    torch.testing.assert_close(EnsemblePredictor(networks, CPU)(windows), sum(alone) / 2)


@pytest.mark.parametrize(
    ("max_batch", "batch_size", "log"),
    [
        (100, 4, []),
        (1, 4, ["a batch size of 2", "a batch size of 1"]),
        (0, 1, ["the output in main memory", "on the CPU, which is slower"]),
    ],
)
def test_each_fallback_is_logged_and_changes_no_result(
    max_batch: int, batch_size: int, log: list[str]
) -> None:
    messages: list[str] = []
    predictor = fallback(LimitedNetwork(max_batch), messages, batch_size)
    torch.testing.assert_close(probabilities(predictor), expected())
    assert len(messages) == len(log)
    assert all(message.endswith(text) for message, text in zip(messages, log))
    assert predictor.device == (GPU if max_batch else CPU)


@pytest.mark.parametrize("after", [1, 5])
def test_memory_that_runs_out_between_windows_loses_no_result(after: int) -> None:
    messages: list[str] = []
    network = LimitedNetwork(100)
    predictor = fallback(network, messages, batch_size=2)
    finished: list[int] = []

    def progress(count: int) -> None:
        finished.append(count)
        if len(finished) == after:
            network.max_batch = 0

    with torch.no_grad():
        slabs = [slab for *_, slab in iterate_slabs(predictor, image(), WINDOWS, progress=progress)]
    torch.testing.assert_close(torch.cat(slabs, dim=3), expected())
    assert len(messages) == 3
    assert sum(finished) == WINDOWS.count


@pytest.mark.parametrize(
    "fault",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 3.9 GB)"),
    ],
)
def test_all_kinds_of_out_of_memory_errors_are_handled(fault: BaseException) -> None:
    messages: list[str] = []
    predictor = fallback(LimitedNetwork(1, fault), messages)
    torch.testing.assert_close(probabilities(predictor), expected())
    assert len(messages) == 2


def test_other_errors_are_raised() -> None:
    network = LimitedNetwork(0, RuntimeError("expected 3 channels"))
    with pytest.raises(RuntimeError, match="expected 3 channels"):
        probabilities(fallback(network, []))


def test_running_out_of_main_memory_is_one_clear_error() -> None:
    predictor = OutOfMemoryFallback([LimitedNetwork(0)], CPU, print, batch_size=1)
    with pytest.raises(GenSegError, match="out of main memory even with one window"):
        probabilities(predictor)
