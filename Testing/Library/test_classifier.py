from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from GenSegLib.errors import GenSegError
from GenSegLib.prediction.classifier import CPU, Classifier, SteadfastClassifier
from GenSegLib.prediction.sliding import sweep
from GenSegLib.prediction.windows import Windows

# PyTorch tells this device from `cpu` and computes on it all the same: the card of these tests.
CARD = torch.device("cpu:0")
WINDOWS = Windows((16, 16, 40), (8, 8, 8), along=2)


class Cramped(nn.Module):
    """A network that runs out of memory on a device that holds only so many windows."""

    def __init__(self, most: int, fault: BaseException | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Conv3d(1, 3, 3, padding=1)
        self.most, self.on_card = most, True
        self.fault = fault or torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]
        """Note that the module moves: here, to the CPU."""
        self.on_card = False
        return super()._apply(fn, recurse)

    def forward(self, windows: Tensor) -> Tensor:
        if self.on_card and len(windows) > self.most:
            raise self.fault
        return self.network(windows)


def image() -> Tensor:
    return torch.randn(1, 1, *WINDOWS.size, generator=torch.Generator().manual_seed(0))


def swept(classifier: Classifier) -> Tensor:
    with torch.no_grad():
        return torch.cat([slab for *_, slab in sweep(classifier, image(), WINDOWS)], dim=3)


def steadfast(network: nn.Module, told: list[str], at_once: int = 4) -> SteadfastClassifier:
    return SteadfastClassifier([network], CARD, told.append, windows_at_once=at_once)


def expected() -> Tensor:
    return swept(Classifier([Cramped(100)], CARD))


def test_with_room_enough_nothing_is_told() -> None:
    told: list[str] = []
    torch.testing.assert_close(swept(steadfast(Cramped(100), told)), expected())
    assert told == []


def test_out_of_memory_halves_the_windows_until_they_fit() -> None:
    told: list[str] = []
    classifier = steadfast(Cramped(1), told)
    torch.testing.assert_close(swept(classifier), expected())
    assert [line.split(": ")[1] for line in told] == [
        "going on with 2 windows at once",
        "going on with 1 window at once",
    ]
    assert classifier.device == CARD


def test_where_one_window_is_too_much_main_memory_collects_and_then_the_cpu_computes() -> None:
    told: list[str] = []
    classifier = steadfast(Cramped(0), told, at_once=1)
    torch.testing.assert_close(swept(classifier), expected())
    assert [line.split(": ")[1] for line in told] == [
        "the result is now collected in main memory",
        "going on with the CPU, which takes longer",
    ]
    assert (classifier.device, classifier.collect_on) == (CPU, CPU)


@pytest.mark.parametrize("after", [1, 2, 5])
def test_memory_that_runs_out_on_the_way_loses_nothing(after: int) -> None:
    told: list[str] = []
    network = Cramped(100)
    classifier = steadfast(network, told, at_once=2)
    windows_done: list[int] = []

    def note(count: int) -> None:
        windows_done.append(count)
        if len(windows_done) == after:
            network.most = 0

    with torch.no_grad():
        slabs = [slab for *_, slab in sweep(classifier, image(), WINDOWS, done=note)]
    torch.testing.assert_close(torch.cat(slabs, dim=3), expected())
    assert len(told) == 3
    assert sum(windows_done) == WINDOWS.count


@pytest.mark.parametrize(
    "fault",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 3.9 GB)"),
    ],
)
def test_every_kind_of_out_of_memory_is_known(fault: BaseException) -> None:
    told: list[str] = []
    torch.testing.assert_close(swept(steadfast(Cramped(1, fault), told)), expected())
    assert len(told) == 2


def test_another_fault_is_not_taken_for_a_lack_of_memory() -> None:
    network = Cramped(0, RuntimeError("expected 3 channels"))
    with pytest.raises(RuntimeError, match="expected 3 channels"):
        swept(steadfast(network, []))


def test_main_memory_that_holds_no_window_is_one_clear_error() -> None:
    network = Cramped(0)
    classifier = SteadfastClassifier([network], CPU, print, windows_at_once=1)
    with pytest.raises(GenSegError, match="main memory is used up, even with one window"):
        swept(classifier)
