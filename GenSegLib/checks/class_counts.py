"""Warnings about classes that no case or only one case shows, or that are missing in some.

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..label_maps import format_labels

NO_BACKGROUND = (
    "no voxel is annotated as background, so that the model cannot learn where structures end; "
    "draw some of it, too, in a segment named Background"
)

_MAX_NAMES = 5


def rare_class_warnings(
    labels: Mapping[int, str],
    voxels: Mapping[str, Mapping[int, float]],
    validation: Collection[str] = (),
) -> list[str]:
    """Return a line for each class that no case or only one of several cases shows.

    Args:
        labels: names of the classes.
        voxels: number of voxels, or volume, of each class in each labeled case.
        validation: names of the validation cases, as far as they are known.
    """
    found = {value for counts in voxels.values() for value in counts}
    warnings = []
    for value in sorted(found | labels.keys()):
        name = labels.get(value, f"Label {value}")
        cases = [case for case, counts in voxels.items() if counts.get(value)]
        if not cases and voxels:
            warnings.append(
                f"class {name} has no voxel in any of {len(voxels)} labeled cases and is left out"
            )
        elif len(cases) == 1 and len(voxels) > 1:
            use = (
                "a validation case, so that it cannot be learned"
                if cases[0] in validation
                else "so that it is for training or for validation, not both"
            )
            warnings.append(
                f"class {name} is in only 1 of {len(voxels)} labeled cases, {cases[0]}, {use}; "
                "segment it in more cases"
            )
    return warnings


def unnamed_note(preset: str, labels: Mapping[int, str]) -> str:
    """Return what is assumed about labels without names.

    Args:
        preset: its name.
        labels: its label map.
    """
    return (
        f"the labels have no names: their values are taken as those of preset {preset} "
        f"({format_labels(labels)}); check that they are"
    )


def missing_class_warnings(missing: Mapping[str, Sequence[str]], cases: int) -> list[str]:
    """Return a line for each class that some cases lack without saying that it is absent.

    Classes of one case alone have a warning of their own.

    Args:
        missing: names of the cases that lack a class, by its name.
        cases: number of labeled cases.
    """
    return [
        f"class {name} is missing in {len(lacking)} of {cases} labeled cases "
        f"({', '.join(lacking[:_MAX_NAMES])}{', ...' if len(lacking) > _MAX_NAMES else ''}), which "
        f'count as cases without it; in cases.json, "classes": {{"{name}": "not annotated"}} says '
        'of a case that nobody looked for it, "absent" that it is not there'
        for name, lacking in missing.items()
        if lacking and cases - len(lacking) > 1
    ]
