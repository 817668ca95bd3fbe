"""Passes of windows over prepared images, within the memory that there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ..data.preprocessing import Prepared
from .budget import Budget
from .classifier import CPU, SteadfastClassifier
from .restoring import Slab
from .sliding import sweep
from .window_watch import Pass, WindowWatch
from .windows import Windows


class Passes:
    """Gives class probabilities of prepared images.

    Args:
        classifier: gives those of windows.
        budget: of memory.
        patch_size: of the windows, in voxels.
        classes: how many there are, background included.
    """

    def __init__(
        self,
        classifier: SteadfastClassifier,
        budget: Budget,
        patch_size: Sequence[int],
        classes: int,
    ) -> None:
        self._classifier, self._budget = classifier, budget
        self._patch_size, self._classes = tuple(patch_size), classes
        self._is_tuned = classifier.device.type != "cuda"

    def windows(self, prepared: Prepared) -> Windows:
        """Give the windows over a prepared image, in rows along its longest axis."""
        size = prepared.image.shape[1:]
        return Windows(size, self._patch_size, int(np.argmax(size)))

    def slabs(self, prepared: Prepared, begun: Pass, watch: WindowWatch) -> Iterator[Slab]:
        """Give the class probabilities of a prepared image, slab by slab.

        Args:
            prepared: the image.
            begun: how it is looked at, and what for.
            watch: is told how far it is.

        Raises:
            GenSegError: not even one window fits into main memory.
        """
        windows = self.windows(prepared)
        image = torch.from_numpy(prepared.image)[np.newaxis]
        classifier = self._classifier
        classifier.views = begun.views
        self._tune(image, windows)
        if not self._budget.collects_on_device(self._classes, windows):
            classifier.collect_on = CPU
        precision = self._budget.precision(self._classes, windows)
        watch.start_pass(begun, windows.count, on_cpu=classifier.device == CPU)
        for start, stop, shares in sweep(classifier, image, windows, precision, watch.add):
            yield start, stop, shares.cpu().numpy()

    def _tune(self, image: torch.Tensor, windows: Windows) -> None:
        """Fit the windows at once to a card's free memory, by what one of them takes."""
        if self._is_tuned:
            return
        self._is_tuned = True
        device = self._classifier.device
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        self._classifier(windows.pad(image)[(slice(None), slice(None), *windows.row(0)[0])])
        per_window = torch.cuda.max_memory_allocated(device) - before
        if self._classifier.device == device:
            self._classifier.windows_at_once = self._budget.windows_at_once(per_window)
