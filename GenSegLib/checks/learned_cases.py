"""Which cases a model has learned from, whatever they are called now."""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..cases import Case
from ..datasets.image_io import read_image
from ..errors import GenSegError
from .duplicates import image_content


def find_learned(cases: Iterable[Case], learned: Sequence[Case]) -> set[str]:
    """Return the names of the cases that are among those that a model has learned from.

    A case of the same name with another image is another case. If the image that the model has
    learned from cannot be read any more, the name decides.

    Args:
        cases: of a new training.
        learned: labeled cases of the model's training.
    """
    by_name = {case.name: case for case in learned}
    paths = {case.image.resolve() for case in learned}
    by_size: dict[int, list[Path]] = {}
    for case in learned:
        if case.image.is_file():
            by_size.setdefault(case.image.stat().st_size, []).append(case.image)

    def is_learned(case: Case) -> bool:
        if case.image.resolve() in paths:
            return True
        size = case.image.stat().st_size if case.image.is_file() else -1
        if any(filecmp.cmp(case.image, path, shallow=False) for path in by_size.get(size, ())):
            return True
        return case.name in by_name and _may_be_same(case.image, by_name[case.name].image)

    return {case.name for case in cases if is_learned(case)}


def _may_be_same(image: Path, learned: Path) -> bool:
    """Return whether two images have the same voxels, or one cannot be read."""
    try:
        own, other = (image_content(read_image(path, finite=False)) for path in (image, learned))
    except GenSegError:
        return True
    return own.digest == other.digest
