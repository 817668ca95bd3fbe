"""Labelled cases in memory, prepared as the preset says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .augmentation.subject import Subject
from .cases import Case
from .errors import GenSegError
from .image_io import read_image, read_label
from .preprocessing import Preprocessor
from .presets import Preset


def load_subjects(
    cases: Sequence[Case], preset: Preset, labels: Sequence[int], device: torch.device
) -> list[Subject]:
    """Read and prepare cases; label values become classes 1, 2, ... in the order of ``labels``."""
    preprocessor = Preprocessor(preset)
    classes = {value: place + 1 for place, value in enumerate(labels)}
    return [_load(case, preprocessor, classes, device) for case in cases]


def _load(
    case: Case, preprocessor: Preprocessor, classes: dict[int, int], device: torch.device
) -> Subject:
    assert case.label is not None
    try:
        prepared = preprocessor.apply(read_image(case.image), read_label(case.label))
    except GenSegError as error:
        raise GenSegError(f"case {case.name}: {error}") from error
    assert prepared.label is not None
    label = np.zeros(prepared.label.shape, dtype=np.int64)
    for value, place in classes.items():
        label[prepared.label == value] = place
    return Subject(
        case.name,
        torch.from_numpy(prepared.image).to(device),
        torch.from_numpy(label).to(device),
        prepared.spacing,
    )
