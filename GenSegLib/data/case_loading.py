"""Load and preprocess the cases of a training: small ones into memory, large ones to disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..cases import Case
from ..datasets.case_labels import read_case_label
from ..datasets.channels import read_channels, with_channels
from ..errors import GenSegError
from ..images.volume import Volume
from ..presets import PREPROCESSING, Preset
from .case_cache import CacheEntry, CaseCache, content_key
from .distance_maps import DISTANCE_LIMIT_MM
from .label_sets import LabelSets
from .preprocessing import Preprocessor
from .stored_case import StoredCase, case_arrays
from .training_case import InMemoryCase, TrainingCase

Array = NDArray[Any]

LARGE = 2**21  # voxels; larger preprocessed cases are read from disk patch by patch


def load_training_cases(
    cases: Sequence[Case],
    preset: Preset,
    labels: Mapping[int, str],
    device: torch.device,
    cache: CaseCache | None = None,
    log: Callable[[str], None] = lambda _: None,
    sets: LabelSets | None = None,
    loaded: Callable[[], None] = lambda: None,
) -> list[TrainingCase]:
    """Read and preprocess cases; label values become classes 1, 2, ... in the order of `labels`.

    Args:
        cases: the cases; an unlabeled one gets background everywhere, its label is not read.
        preset: how they are preprocessed.
        labels: names of the label values, by which segments in the files are matched.
        device: where tensors are wanted.
        cache: for cases of more than `LARGE` voxels; without it all stay in memory.
        log: called with a message for each case that is added to the cache.
        sets: meaning of the labels, with those of further cases; of these cases by default.
        loaded: called after each case.

    Raises:
        GenSegError: a case cannot be read or preprocessed, or the disk is full.
    """
    sets = sets or LabelSets.of([case.annotation for case in cases], labels, {})
    loader = _Loader(preset, sets, device, cache)
    results = []
    for number, case in enumerate(cases, 1):
        result, is_new = loader.load(case)
        if is_new:
            log(f"case {case.name} was preprocessed and cached ({number} of {len(cases)})")
        results.append(result)
        loaded()
    return results


@dataclass(frozen=True)
class _Arrays:
    """Image (channel, *shape), label of training values (*shape), and spacing in mm."""

    image: Array
    label: Array
    spacing: tuple[float, ...]


class _Loader:
    def __init__(
        self,
        preset: Preset,
        sets: LabelSets,
        device: torch.device,
        cache: CaseCache | None,
    ) -> None:
        self._preset, self._device, self._cache = preset, device, cache
        self._sets, self._labels = sets, dict(sets.names)

    def load(self, case: Case) -> tuple[TrainingCase, bool]:
        """Return a case, and whether it was added to the cache now."""
        if self._cache is None:
            return self._in_memory(case, *self._preprocess(case)), False
        settings = self._preset.to_json()
        relevant = {name: settings[name] for name in PREPROCESSING}
        files = [*case.images, *(case.labels if case.is_labeled else ())]
        key = content_key(files, relevant | self._label_key(case))
        entry = self._cache.find(key)
        if entry is not None:
            return open_case(case.name, entry, self._device), False
        fine, coarse = self._preprocess(case)
        if fine.image[0].size <= LARGE:
            return self._in_memory(case, fine, coarse), False
        entry = self._cache.store(key, *self._to_store(case, fine, coarse))
        return open_case(case.name, entry, self._device), True

    def _label_key(self, case: Case) -> dict[str, Any]:
        """Return what the values of a case's label depend on, for the cache."""
        names = {"labels": list(self._labels.items())}
        if not case.is_labeled:
            return names
        annotation = case.annotation.to_json()
        if case.label_classes:
            annotation["label_classes"] = list(case.label_classes)
        sets = {"sets": self._sets.sets} if case.annotation.classes else {}
        return names | annotation | sets | {"includes": dict(self._sets.includes)}

    def _preprocess(self, case: Case) -> tuple[_Arrays, _Arrays | None]:
        preset = self._preset
        try:
            image = with_channels(read_channels(case.images), preset.channels)
            label = self._read_label(case, image) if case.is_labeled else None
            fine = self._apply(preset, case, image, label)
            if preset.coarse_spacing is None:
                return fine, None
            coarse = replace(preset, spacing=preset.coarse_spacing)
            return fine, self._apply(coarse, case, image, label)
        except GenSegError as error:
            raise GenSegError(f"case {case.name}: {error}") from error

    def _read_label(self, case: Case, image: Volume) -> Volume:
        return read_case_label(
            case,
            image,
            self._labels,
            terminology=self._preset.terminology,
            includes=self._sets.includes,
        )

    def _apply(self, preset: Preset, case: Case, image: Volume, label: Volume | None) -> _Arrays:
        result = Preprocessor(preset).apply(image, label)
        if result.label is None:
            empty = np.zeros(result.image.shape[1:], np.uint8)
            return _Arrays(result.image, empty, result.spacing)
        values = self._sets.encode(result.label, case.annotation)
        return _Arrays(result.image, values, result.spacing)

    def _in_memory(self, case: Case, fine: _Arrays, coarse: _Arrays | None) -> InMemoryCase:
        dtype = np.int64 if case.is_labeled else np.uint8  # unlabeled cases may be many
        whole = replace(fine, label=fine.label.astype(dtype))
        classes = self._sets.classes
        small = None if coarse is None else _to_case(case.name, coarse, classes, self._device)
        return _to_case(case.name, whole, classes, self._device, small)

    def _to_store(
        self, case: Case, fine: _Arrays, coarse: _Arrays | None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        classes = 1 + len(self._labels) if case.is_labeled else 1
        arrays, values = case_arrays(
            fine.image, fine.label, fine.spacing, classes, DISTANCE_LIMIT_MM
        )
        if coarse is not None:
            arrays["coarse_image"] = coarse.image.astype(np.float16)
            arrays["coarse_label"] = coarse.label
            values["coarse_spacing"] = list(coarse.spacing)
        return arrays, values


def open_case(name: str, entry: CacheEntry, device: torch.device) -> StoredCase:
    """Return a cached case; its coarse version, if any, is loaded into memory."""
    coarse = None
    if "coarse_spacing" in entry.values:
        arrays = _Arrays(
            entry.array("coarse_image").astype(np.float32),
            np.array(entry.array("coarse_label")),
            tuple(entry.values["coarse_spacing"]),
        )
        coarse = _to_case(name, arrays, entry.values["classes"], device)
    return StoredCase(name, entry, coarse, device)


def _to_case(
    name: str,
    arrays: _Arrays,
    classes: int,
    device: torch.device,
    coarse: InMemoryCase | None = None,
) -> InMemoryCase:
    image, label = (torch.from_numpy(a).to(device) for a in (arrays.image, arrays.label))
    return InMemoryCase(name, image, label, arrays.spacing, coarse, classes)
