"""Labels of cases, which may be in several files: a mask for each lesion, or for each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..case_annotation import COMPLETE, Annotation
from ..cases import Case
from ..errors import GenSegError
from ..images.volume import Volume
from ..label_maps import normalized
from ..nesting import Includes
from .annotated_voxels import finalize_label
from .image_io import read_label


def read_case_label(
    case: Case,
    grid: Volume | None = None,
    classes: Mapping[int, str] | None = None,
    warn: Callable[[str], None] = lambda _: None,
    *,
    terminology: Mapping[int, str] | None = None,
    includes: Includes | None = None,
    file_order: bool = False,
    ignore_unknown: bool = False,
) -> Volume:
    """Read the label of a case as `image_io.read_label` does.

    Files of the same class are merged. Where files of different classes overlap, the later one
    wins, with a warning.

    Args:
        case: with a label.
        grid: see `read_label`.
        classes: see `read_label`.
        warn: see `read_label`.
        terminology: see `read_label`.
        includes: see `read_label`.
        file_order: see `read_label`.
        ignore_unknown: see `read_label`.

    Raises:
        GenSegError: as `read_label`; or a file is of a class that is not among `classes`, or of
            another size than the first one.
    """
    read = partial(
        read_label,
        grid=grid,
        classes=classes,
        warn=warn,
        terminology=terminology,
        ignore_unknown=ignore_unknown,
        includes=includes,
        file_order=file_order,
    )
    if len(case.labels) == 1 and not case.label_classes:
        return read(case.labels[0], annotation=case.annotation)
    own = replace(case.annotation, only_slices="", scribbles=False)
    if case.label_classes:  # the values and segments of the files say nothing
        read, own = partial(read, classes=None, terminology=None, includes=None), COMPLETE
    merged: Volume | None = None
    for k, path in enumerate(case.labels):
        part = read(path, annotation=own)
        if case.label_classes and part.array.any():
            value = _value_of(case.label_classes[k], classes or {}, case.annotation, path)
            part = replace(part, array=np.where(part.array != 0, np.int16(value), np.int16(0)))
        merged = part if merged is None else _merge(merged, part, path, warn)
    assert merged is not None
    return finalize_label(merged, case.annotation)


def _value_of(name: str, classes: Mapping[int, str], annotation: Annotation, path: Path) -> int:
    values = {normalized(own): value for own, value in annotation.segments.items()}
    values |= {normalized(own): value for value, own in classes.items()}
    if normalized(name) not in values:
        raise GenSegError(f"{path}: its class {name} is not among the classes; correct the name")
    return values[normalized(name)]


def _merge(first: Volume, second: Volume, path: Path, warn: Callable[[str], None]) -> Volume:
    if first.shape != second.shape:
        raise GenSegError(f"{path}: another size than the other files of this label")
    lost = np.count_nonzero((second.array != 0) & (first.array > 0) & (first.array != second.array))
    if lost:
        warn(f"{lost} voxels of other classes are overwritten by {path.name}")
    return replace(first, array=np.where(second.array != 0, second.array, first.array))
