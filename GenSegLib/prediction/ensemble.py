"""Mean class probabilities over networks and test-time augmentations, with fallbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..computing.devices import is_out_of_memory
from ..errors import GenSegError
from ..networks.dual_normalization import choose_normalization
from .tta import IDENTITY, Augmentation

T = TypeVar("T")
Network = Callable[[Tensor], Tensor]

CPU = torch.device("cpu")


class EnsemblePredictor:
    """Averages softmax probabilities over networks and test-time augmentations.

    Args:
        networks: from (batch, channel, *patch_size) to logits (batch, class, *patch_size);
            modules must be in evaluation mode.
        device: device of the networks.
        augmentations: test-time augmentations to average over.
        batch_size: number of windows per batch.

    Attributes:
        augmentations: see above.
        batch_size: see above.
        output_device: device of the result, at first that of the networks.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        device: torch.device,
        augmentations: Sequence[Augmentation] = (IDENTITY,),
        batch_size: int = 2,
    ) -> None:
        self._networks = tuple(networks)
        self._device = device
        self.augmentations = augmentations
        self.batch_size = batch_size
        self.output_device = device

    @torch.no_grad()
    def __call__(self, windows: Tensor) -> Tensor:
        """Return class probabilities (batch, class, *patch_size) on `output_device`."""
        windows = windows.to(self._device)
        total = torch.zeros((), device=self._device)
        for network in self._networks:
            for augmentation in self.augmentations:
                logits = network(augmentation.apply(windows)).float()
                total = total + augmentation.invert(torch.softmax(logits, dim=1))
        count = len(self.augmentations) * len(self._networks)
        return (total / count if count > 1 else total).to(self.output_device)

    def prepare(self, windows: Callable[[], Iterable[Tensor]]) -> None:
        """Prepare the networks for an image.

        Args:
            windows: returns some windows (batch, channel, *patch_size) of it.
        """

        def on_device() -> Iterable[Tensor]:
            return (window.to(self._device) for window in windows())

        for network in self._networks:
            if isinstance(network, nn.Module):
                self.with_fallback(partial(choose_normalization, network, on_device))

    def with_fallback(self, action: Callable[[], T]) -> T:
        """Run an action that allocates memory."""
        return action()


class OutOfMemoryFallback(EnsemblePredictor):
    """Retries with less memory after an out-of-memory error; results agree up to rounding.

    Halves the batch size first, then moves the output to main memory, then computes on the CPU.
    A fallback stays in effect for all later windows.

    Args:
        networks: modules, which can be moved to the CPU; see `EnsemblePredictor`.
        device: see `EnsemblePredictor`.
        log: called with one line per fallback.
        batch_size: see `EnsemblePredictor`.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        device: torch.device,
        log: Callable[[str], None],
        batch_size: int = 2,
    ) -> None:
        super().__init__(networks, device, batch_size=batch_size)
        self._modules = networks
        self._log = log

    @property
    def device(self) -> torch.device:
        """Current device of the networks."""
        return self._device

    def __call__(self, windows: Tensor) -> Tensor:
        """See `EnsemblePredictor`.

        Raises:
            GenSegError: not even one window fits into main memory.
        """

        def predict_batches() -> Tensor:
            batches = windows.split(self.batch_size)
            return torch.cat([super(OutOfMemoryFallback, self).__call__(part) for part in batches])

        return self.with_fallback(predict_batches)

    def with_fallback(self, action: Callable[[], T]) -> T:
        """Repeat an action with less memory until it succeeds; raises as above.

        The fallback runs outside the handler, because the exception keeps the tensors of its
        frames alive.
        """
        while True:
            try:
                return action()
            except (RuntimeError, MemoryError) as fault:
                if not is_out_of_memory(fault):
                    raise
            self._fall_back()

    def _fall_back(self) -> None:
        if self.batch_size > 1:
            self.batch_size //= 2
            self._report(f"continuing with a batch size of {self.batch_size}")
        elif self.output_device != CPU:
            self.output_device = CPU
            self._report("continuing with the output in main memory")
        elif self._device != CPU:
            self._report("continuing on the CPU, which is slower")
            self._device = CPU
            for module in self._modules:
                module.to(CPU)
        else:
            raise GenSegError(
                "out of main memory even with one window at a time; close other programs or "
                "use a computer with more memory"
            )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _report(self, action: str) -> None:
        self._log(f"device {self._device} is out of memory; {action}")
