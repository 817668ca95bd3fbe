"""Checks of what cases say about their annotation, against the voxels of their labels.

Light: numpy alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from ..case_annotation import Annotation, ClassState
from ..data.volume_ranges import to_ml
from ..images.label_counts import label_counts
from ..images.volume import Volume
from ..label_maps import IGNORE, closest_name, normalized
from ..nesting import Includes, region_values, values_around
from .case_check import CaseCheck

Classes = Mapping[int, str]

NO_CLASS_ANNOTATED = (
    "none of its classes was annotated; mark those that were looked for, or leave the case out"
)
NOTHING_ANNOTATED = "no voxel of the label is annotated; segment something"


def annotation_errors(annotation: Annotation, label: Volume, classes: Classes) -> list[str]:
    """Return what a case says about its classes that cannot be.

    Args:
        annotation: of the case.
        label: (1, x, y, z) of class values and `IGNORE`.
        classes: names by value; empty if unknown.
    """
    errors = unknown_class_errors(annotation, classes.values())
    for value, count in _voxels_of(annotation, ClassState.ABSENT, label, classes).items():
        errors.append(
            f"{classes[value]} is marked as absent, but {count} voxels of it are labeled; "
            "remove them, or mark it as annotated"
        )
    hidden = annotation.names_with(ClassState.NOT_ANNOTATED, classes.values())
    if 0 < len(classes) == len(hidden):
        errors.append(NO_CLASS_ANNOTATED)
    elif (label.array == IGNORE).all():
        errors.append(NOTHING_ANNOTATED)
    return errors


def unknown_class_errors(annotation: Annotation, names: Collection[str]) -> list[str]:
    """Return a line for each class that a case names by what is no name of a class.

    A class that the case lacks may be in no other case either, and then it is not learned: this is
    an error only if the name resembles that of a class.

    Args:
        annotation: of the case.
        names: of the classes; empty if unknown.
    """
    return [
        f'"classes" names {name}, which is not one of the classes ({", ".join(names)}); correct '
        "the name"
        for name in _unknown(annotation, names)
        if closest_name(name, names) or annotation.state(name) is ClassState.ANNOTATED
    ]


def unknown_class_warnings(annotation: Annotation, names: Collection[str]) -> list[str]:
    """Return a line for each other class that a case names and that is none of the classes."""
    return [
        f'"classes" marks {name} as {annotation.state(name).value}, but it is not one of '
        f"the classes ({', '.join(names)}) and is left out"
        for name in _unknown(annotation, names)
        if not closest_name(name, names) and annotation.state(name) is not ClassState.ANNOTATED
    ]


def _unknown(annotation: Annotation, names: Collection[str]) -> list[str]:
    known = set(map(normalized, names))
    return [name for name in annotation.classes if known and normalized(name) not in known]


def without_drafts(
    annotation: Annotation,
    label: Volume,
    classes: Classes,
    warn: Callable[[str], None],
    includes: Includes | None = None,
) -> Volume:
    """Return a label without voxels of classes that nobody annotated.

    They may be those of a prediction of which the user checked other classes alone. They become
    background, or the class around them.
    """
    drafts = _voxels_of(annotation, ClassState.NOT_ANNOTATED, label, classes)
    if not drafts:
        return label
    hidden = annotation.names_with(ClassState.NOT_ANNOTATED, classes.values())
    kept = {value: name for value, name in classes.items() if name not in hidden}
    around = values_around(includes or {}, kept, {value: classes[value] for value in drafts})
    array = label.array.copy()
    for value, count in drafts.items():
        warn(f"{classes[value]} is not annotated: {count} labeled voxels of it are not used")
        array[label.array == value] = around[value]
    return replace(label, array=array)


def known_volumes(
    annotation: Annotation, check: CaseCheck, classes: Classes, includes: Includes
) -> dict[int, float]:
    """Return the volume of each class in ml, inner classes included.

    It is NaN if it is not known, or if the case says that the class is absent, so that healthy
    patients are not compared with others.
    """
    names = {value: f"Label {value}" for value in check.voxels} | dict(classes)
    regions = region_values(includes, names)
    counts = {value: sum(check.voxels.get(v, 0) for v in regions[value]) for value in names}
    unknown = {
        name for name in names.values() if annotation.state(name) is not ClassState.ANNOTATED
    }
    return {
        value: math.nan if check.ignored or names[value] in unknown else volume
        for value, volume in to_ml(counts, check.spacing).items()
    }


def _voxels_of(
    annotation: Annotation, state: ClassState, label: Volume, classes: Classes
) -> dict[int, int]:
    """Return the number of voxels of the labeled classes that have a state."""
    names = annotation.names_with(state, classes.values())
    counts = label_counts(label.array[0]) if names else {}
    return {value: count for value, count in counts.items() if classes.get(value) in names}
