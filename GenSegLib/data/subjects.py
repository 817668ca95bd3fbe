"""A training's cases, prepared as the preset says: small ones in memory, large ones on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..augmentation.morphs import MorphSettings
from ..augmentation.stored import StoredSubject, stored_arrays
from ..augmentation.subject import LabeledCase, Subject
from ..cases import Case
from ..errors import GenSegError
from ..images.image_io import Volume, read_image, read_label
from ..presets import Preset
from .array_file import ArrayFile
from .case_cache import CaseCache, content_key
from .preprocessing import Preprocessor

Array = NDArray[Any]

LARGE = 2**21  # voxels of a prepared case that is read from disk patch by patch

_PREPARING = (
    *("orientation", "spacing", "coarse_spacing", "intensity", "crop_foreground", "multiple"),
)


def load_subjects(
    cases: Sequence[Case],
    preset: Preset,
    labels: Sequence[int],
    device: torch.device,
    cache: CaseCache | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> list[LabeledCase]:
    """Read and prepare cases; label values become classes 1, 2, ... in the order of ``labels``.

    Args:
        cases: the cases; an unlabeled one becomes background in all its voxels, unread its label.
        preset: how they are prepared.
        labels: the label values.
        device: where tensors are wanted.
        cache: where cases of more than ``LARGE`` voxels go; without it they stay in memory.
        told: told of each case that goes there.

    Raises:
        GenSegError: a case cannot be read or prepared, or the disk has no room for it.
    """
    loader = _Loader(preset, labels, device, cache)
    subjects = []
    for place, case in enumerate(cases, 1):
        subject, is_new = loader.load(case)
        if is_new:
            told(f"case {case.name} is prepared and kept on disk ({place} of {len(cases)})")
        subjects.append(subject)
    return subjects


@dataclass(frozen=True)
class _Prepared:
    """An image (channel, *shape), its label of classes (*shape), and the spacing in mm."""

    image: Array
    label: Array
    spacing: tuple[float, ...]


class _Loader:
    def __init__(
        self, preset: Preset, labels: Sequence[int], device: torch.device, cache: CaseCache | None
    ) -> None:
        self._preset, self._device, self._cache = preset, device, cache
        self._labels = list(labels)

    def load(self, case: Case) -> tuple[LabeledCase, bool]:
        """Give a case, and whether it was put on disk just now."""
        if self._cache is None:
            return self._in_memory(case, *self._prepare(case)), False
        known = self._preset.to_json()
        settings = {name: known[name] for name in _PREPARING} | {"labels": self._labels}
        files = [path for path in (case.image, _label_of(case)) if path is not None]
        key = content_key(files, settings)
        file = self._cache.find(key)
        if file is not None:
            return open_case(case.name, file, self._device), False
        fine, coarse = self._prepare(case)
        if fine.image[0].size <= LARGE:
            return self._in_memory(case, fine, coarse), False
        file = self._cache.store(key, *self._arrays(case, fine, coarse))
        return open_case(case.name, file, self._device), True

    def _prepare(self, case: Case) -> tuple[_Prepared, _Prepared | None]:
        preset, path = self._preset, _label_of(case)
        try:
            image = read_image(case.image)
            label = None if path is None else read_label(path, image)
            fine = self._prepared(preset, image, label)
            if preset.coarse_spacing is None:
                return fine, None
            coarse = replace(preset, spacing=preset.coarse_spacing)
            return fine, self._prepared(coarse, image, label)
        except GenSegError as error:
            raise GenSegError(f"case {case.name}: {error}") from error

    def _prepared(self, preset: Preset, image: Volume, label: Volume | None) -> _Prepared:
        prepared = Preprocessor(preset).apply(image, label)
        kind = np.uint8 if len(self._labels) < 256 else np.int16
        classes = np.zeros(prepared.image.shape[1:], kind)
        for place, value in enumerate(self._labels if prepared.label is not None else (), 1):
            classes[prepared.label == value] = place
        return _Prepared(prepared.image, classes, prepared.spacing)

    def _in_memory(self, case: Case, fine: _Prepared, coarse: _Prepared | None) -> Subject:
        kind = np.int64 if case.is_labeled else np.uint8  # of which there may be many
        whole = _Prepared(fine.image, fine.label.astype(kind), fine.spacing)
        small = None if coarse is None else _subject(case.name, coarse, self._device)
        return _subject(case.name, whole, self._device, small)

    def _arrays(
        self, case: Case, fine: _Prepared, coarse: _Prepared | None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        limit_mm = MorphSettings().limit_mm
        classes = 1 + len(self._labels) if case.is_labeled else 1
        arrays, values = stored_arrays(fine.image, fine.label, fine.spacing, classes, limit_mm)
        if coarse is not None:
            arrays["coarse_image"] = coarse.image.astype(np.float16)
            arrays["coarse_label"] = coarse.label
            values["coarse_spacing"] = list(coarse.spacing)
        return arrays, values


def _label_of(case: Case) -> Path | None:
    return case.label if case.is_labeled else None


def open_case(name: str, file: ArrayFile, device: torch.device) -> StoredSubject:
    """Give the case of a file; its coarse version, where it has one, comes into memory."""
    coarse = None
    if "coarse_spacing" in file.values:
        prepared = _Prepared(
            file.array("coarse_image").astype(np.float32),
            np.array(file.array("coarse_label")),
            tuple(file.values["coarse_spacing"]),
        )
        coarse = _subject(name, prepared, device)
    return StoredSubject(name, file, coarse, device)


def _subject(
    name: str, prepared: _Prepared, device: torch.device, coarse: Subject | None = None
) -> Subject:
    image, label = (torch.from_numpy(a).to(device) for a in (prepared.image, prepared.label))
    return Subject(name, image, label, prepared.spacing, coarse)
