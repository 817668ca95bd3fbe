"""Warnings about classes that no case or only one case shows, or that are missing in some.

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..label_maps import format_labels

NO_BACKGROUND = (
    "no voxel is annotated as background, so the model cannot learn where structures end; draw "
    "some background in a segment named Background"
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
                f"class {name} does not occur in any of the {len(voxels)} labeled cases and is "
                "left out"
            )
        elif len(cases) == 1 and len(voxels) > 1:
            use = (
                "which is a validation case, so it cannot be learned"
                if cases[0] in validation
                else "so it can be used for training or for validation, but not both"
            )
            warnings.append(
                f"class {name} occurs in only 1 of {len(voxels)} labeled cases ({cases[0]}), {use}"
                "; segment it in more cases"
            )
    return warnings


def unnamed_note(preset: str, labels: Mapping[int, str]) -> str:
    """Return what is assumed about labels without names.

    Args:
        preset: its name.
        labels: its label map.
    """
    return (
        f"the labels have no names; their values are assumed to be those of preset {preset} "
        f"({format_labels(labels)}); check this"
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
        f'are treated as not having it; in cases.json, set "classes": {{"{name}": "not annotated"}}'
        ' for cases where it was not annotated, or "absent" to confirm it'
        for name, lacking in missing.items()
        if lacking and cases - len(lacking) > 1
    ]
