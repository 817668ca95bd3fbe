"""Warnings about classes that no case or only one case shows.

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping


def rare_class_warnings(
    labels: Mapping[int, str],
    voxels: Mapping[str, Mapping[int, int]],
    validation: Collection[str] = (),
) -> list[str]:
    """Return a line for each class that no case or only one of several cases shows.

    Args:
        labels: names of the classes.
        voxels: number of voxels of each class in each labeled case.
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
                "a validation case, so that nothing trains it"
                if cases[0] in validation
                else "so that it is either trained or validated"
            )
            warnings.append(
                f"class {name} is in 1 of {len(voxels)} labeled cases alone, {cases[0]}, {use}; "
                "segment it in more cases"
            )
    return warnings
