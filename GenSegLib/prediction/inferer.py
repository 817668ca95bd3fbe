"""Sliding-window inference of preprocessed images within the memory budget."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

from ..data.preprocessing import PreprocessedImage
from ..presets import Preset
from .ensemble import CPU, OutOfMemoryFallback
from .inversion import Slab
from .memory_budget import MemoryBudget
from .prediction_progress import InferencePass, PredictionProgress
from .sliding_window import SlidingWindows, iterate_slabs, seen_windows


class SlidingWindowInferer:
    """Computes class probabilities of preprocessed images.

    Args:
        predictor: computes class probabilities of windows.
        budget: memory limits.
        preset: the model's preset.
        classes: number of classes, including background.
        whole_slices: see `Predictor`.
    """

    def __init__(
        self,
        predictor: OutOfMemoryFallback,
        budget: MemoryBudget,
        preset: Preset,
        classes: int,
        whole_slices: bool = False,
    ) -> None:
        self._predictor, self._budget = predictor, budget
        self._preset, self._classes, self._whole_slices = preset, classes, whole_slices
        self._is_tuned = predictor.device.type != "cuda"

    def windows(self, prepared: PreprocessedImage) -> SlidingWindows:
        """Return the windows over a preprocessed image."""
        windows = SlidingWindows.for_preset(self._preset, prepared.image.shape[1:])
        return windows.over_whole_slices() if self._whole_slices else windows

    def iterate_slabs(
        self,
        prepared: PreprocessedImage,
        inference_pass: InferencePass,
        progress: PredictionProgress,
    ) -> Iterator[Slab]:
        """Yield the class probabilities of a preprocessed image slab by slab.

        Args:
            prepared: the preprocessed image.
            inference_pass: its test-time augmentations and purpose.
            progress: receives the number of finished windows.

        Raises:
            GenSegError: not even one window fits into main memory.
        """
        windows = self.windows(prepared)
        image = torch.from_numpy(prepared.image)[np.newaxis]
        predictor = self._predictor
        predictor.augmentations = inference_pass.augmentations
        self._tune_batch_size(image, windows)
        predictor.prepare(partial(seen_windows, self._preset, image))
        if not self._budget.accumulates_on_device(self._classes, windows):
            predictor.output_device = CPU
        precision = self._budget.precision(self._classes, windows)
        progress.start_pass(inference_pass, windows.count, on_cpu=predictor.device == CPU)
        slabs = iterate_slabs(predictor, image, windows, precision, progress.add)
        for start, stop, probabilities in slabs:
            yield start, stop, probabilities.cpu().numpy()

    def _tune_batch_size(self, image: torch.Tensor, windows: SlidingWindows) -> None:
        """Choose the batch size by the GPU's free memory and the memory of one window."""
        if self._is_tuned:
            return
        self._is_tuned = True
        device = self._predictor.device
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        self._predictor(windows.cut(windows.pad(image), windows.row(0)[0]))
        per_window = torch.cuda.max_memory_allocated(device) - before
        if self._predictor.device == device:
            self._predictor.batch_size = self._budget.batch_size(per_window)
