"""Class probabilities of windows, also where memory runs out on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..computing.devices import is_out_of_memory
from ..errors import GenSegError
from .views import AS_IT_IS, View

T = TypeVar("T")
Network = Callable[[Tensor], Tensor]

CPU = torch.device("cpu")


class Classifier:
    """Gives the mean probabilities of networks, and of copies of the windows.

    Args:
        networks: from (batch, channel, *patch_size) to logits (batch, class, *patch_size); modules
            are to be in evaluation mode.
        device: where the networks are.
        views: how windows are looked at; it is averaged over these.
        windows_at_once: the most windows in one batch.
        collect_on: device of the result; None for that of the networks.

    Attributes:
        views: see above.
        windows_at_once: see above.
        collect_on: see above.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        device: torch.device,
        views: Sequence[View] = (AS_IT_IS,),
        windows_at_once: int = 2,
        collect_on: torch.device | None = None,
    ) -> None:
        self._networks = tuple(networks)
        self._device = device
        self.views = views
        self.windows_at_once = windows_at_once
        self.collect_on = collect_on or device

    @torch.no_grad()
    def __call__(self, windows: Tensor) -> Tensor:
        """Give the probabilities (batch, class, *patch_size) of windows, on `collect_on`."""
        windows = windows.to(self._device)
        total = torch.zeros((), device=self._device)
        for network in self._networks:
            for view in self.views:
                logits = network(view.show(windows)).float()
                total = total + view.bring_back(torch.softmax(logits, dim=1))
        count = len(self.views) * len(self._networks)
        return (total / count if count > 1 else total).to(self.collect_on)

    def secured(self, action: Callable[[], T]) -> T:
        """Give the result of something that takes memory."""
        return action()


class SteadfastClassifier(Classifier):
    """Goes on with less where memory runs out, to the same result within rounding.

    First it halves the windows at once, then it collects in main memory, then it computes on the
    CPU. What it once gave up it does not take up again.

    Args:
        networks: see `Classifier`; modules, which can be moved to the CPU.
        device: see `Classifier`.
        tell: is told each step in one line.
        views: see `Classifier`.
        windows_at_once: see `Classifier`.
        collect_on: see `Classifier`.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        device: torch.device,
        tell: Callable[[str], None],
        views: Sequence[View] = (AS_IT_IS,),
        windows_at_once: int = 2,
        collect_on: torch.device | None = None,
    ) -> None:
        super().__init__(networks, device, views, windows_at_once, collect_on)
        self._modules = networks
        self._tell = tell

    @property
    def device(self) -> torch.device:
        """Where the networks are by now."""
        return self._device

    def __call__(self, windows: Tensor) -> Tensor:
        """See `Classifier`.

        Raises:
            GenSegError: not even one window fits into main memory.
        """

        def in_parts() -> Tensor:
            parts = windows.split(self.windows_at_once)
            return torch.cat([super(SteadfastClassifier, self).__call__(part) for part in parts])

        return self.secured(in_parts)

    def secured(self, action: Callable[[], T]) -> T:
        """Repeat what takes memory with less and less, until it gives its result; raises as above.

        Memory is given back after the handler, since the exception keeps the tensors of its frames.
        """
        while True:
            try:
                return action()
            except (RuntimeError, MemoryError) as fault:
                if not is_out_of_memory(fault):
                    raise
            self._retreat()

    def _retreat(self) -> None:
        if self.windows_at_once > 1:
            self.windows_at_once //= 2
            many = "windows" if self.windows_at_once > 1 else "window"
            self._say(f"going on with {self.windows_at_once} {many} at once")
        elif self.collect_on != CPU:
            self.collect_on = CPU
            self._say("the result is now collected in main memory")
        elif self._device != CPU:
            self._say("going on with the CPU, which takes longer")
            self._device = CPU
            for module in self._modules:
                module.to(CPU)
        else:
            raise GenSegError(
                "main memory is used up, even with one window at a time; close other programs or "
                "take a machine with more memory"
            )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _say(self, what_next: str) -> None:
        self._tell(f"out of memory on the device {self._device}: {what_next}")
