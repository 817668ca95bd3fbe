"""Classes that include others, such as a liver with the tumors in it.

Label maps are exclusive: a voxel has the innermost class. The class as a user sees it is the region
of all its voxels, those of inner classes included (nnU-Net calls it a region).

Light: the standard library alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from .errors import GenSegError
from .label_maps import normalized

Includes = Mapping[str, "tuple[str, ...]"]
"""Names of the classes directly within a class, by its name."""


def parse_includes(values: object) -> dict[str, tuple[str, ...]]:
    """Read a JSON object such as {"Liver": ["Tumor"]}; see `check_includes`.

    Raises:
        GenSegError: it is not such an object.
    """
    if not isinstance(values, Mapping) or not all(
        isinstance(inner, (list, tuple)) and all(isinstance(name, str) for name in inner)
        for inner in values.values()
    ):
        raise GenSegError(f'"includes" must be of the form {{"Liver": ["Tumor"]}}, not {values!r}')
    includes = {str(outer): tuple(inner) for outer, inner in values.items() if inner}
    check_includes(includes)
    return includes


def parse_include(text: str) -> tuple[str, tuple[str, ...]]:
    """Read the command line's "Liver=Tumor,Vessel".

    Raises:
        GenSegError: the text is of another form.
    """
    outer, _, rest = text.partition("=")
    inner = tuple(name.strip() for name in rest.split(",") if name.strip())
    if not outer.strip() or not inner:
        raise GenSegError(f"{text!r} must be of the form Liver=Tumor: a class and those within it")
    return outer.strip(), inner


def direct_includes(nested: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the classes directly within each class, of pairs of an outer and an inner one.

    A class within a class within a third one is only in the innermost of them. Classes that are
    within each other in turn, or within one class here and another there, are not nested.
    """
    found = set(nested)
    direct = {
        (outer, inner)
        for outer, inner in found
        if not any((outer, middle) in found and (middle, inner) in found for _o, middle in found)
        and (inner, outer) not in found
    }
    around = Counter(inner for _outer, inner in direct)
    includes: dict[str, tuple[str, ...]] = {}
    for outer, inner in sorted(direct):
        if around[inner] == 1:
            includes[outer] = (*includes.get(outer, ()), inner)
    return includes


def check_includes(includes: Includes) -> None:
    """Raise GenSegError if a class lies within two others, or within itself."""
    first: dict[str, str] = {}
    for outer, inner in includes.items():
        for name in inner:
            other = first.setdefault(normalized(name), outer)
            if normalized(other) != normalized(outer):
                raise GenSegError(
                    f'"includes": {name} is within both {other} and {outer}; name the innermost '
                    "class around it only"
                )
    outer_of = _outer_of(includes)
    for name in outer_of:
        if name in _ancestors(name, outer_of):
            raise GenSegError(f'"includes": the class {name} is within itself')


def drawing_order(names: Mapping[int, str], includes: Includes) -> list[int]:
    """Return values, outer classes before those within them, else in their order.

    Args:
        names: of segments by value, in their order.
        includes: see `Includes`.
    """
    depth = drawing_layers(names, includes)
    return sorted(names, key=lambda value: depth[value])


def drawing_layers(names: Mapping[int, str], includes: Includes) -> dict[int, int]:
    """Return the number of known classes around each value, by which classes do not overlap."""
    outer_of = _outer_of(includes)
    known = {normalized(name) for name in names.values()}
    return {
        value: sum(each in known for each in _ancestors(normalized(name), outer_of))
        for value, name in names.items()
    }


def outer_values(includes: Includes, labels: Mapping[int, str]) -> dict[int, int]:
    """Return the value of the innermost known class around each value that lies within one."""
    around = values_around(includes, labels, labels)
    return {value: outer for value, outer in around.items() if outer}


def values_around(
    includes: Includes, labels: Mapping[int, str], others: Mapping[int, str]
) -> dict[int, int]:
    """Return the value of the innermost class around each of others; 0 for the background.

    Args:
        includes: see `Includes`.
        labels: the classes that may be around them.
        others: names by value, such as those of classes that are left out.
    """
    outer_of = _outer_of(includes)
    value_of = {normalized(name): value for value, name in labels.items()}
    found = {}
    for value, name in others.items():
        around = _ancestors(normalized(name), outer_of)
        found[value] = next((value_of[each] for each in around if each in value_of), 0)
    return found


def region_values(includes: Includes, labels: Mapping[int, str]) -> dict[int, tuple[int, ...]]:
    """Return the values of each class's region: its own and those of all classes within it."""
    outer_of = _outer_of(includes)
    return {
        value: tuple(
            other
            for other, inner in sorted(labels.items())
            if other == value or normalized(name) in _ancestors(normalized(inner), outer_of)
        )
        for value, name in labels.items()
    }


def includes_among(includes: Includes, labels: Mapping[int, str]) -> dict[str, tuple[str, ...]]:
    """Return the nesting of these classes alone; what is within another class is within the next.

    Args:
        includes: see `Includes`.
        labels: the classes.
    """
    kept: dict[str, tuple[str, ...]] = {}
    for inner, outer in outer_values(includes, labels).items():
        kept[labels[outer]] = (*kept.get(labels[outer], ()), labels[inner])
    return kept


def unknown_names(includes: Includes, labels: Iterable[str]) -> list[str]:
    """Return the names in `includes` that are none of the classes."""
    known = {normalized(name) for name in labels}
    names = {normalized(n): n for outer, inner in includes.items() for n in (outer, *inner)}
    return [name for key, name in names.items() if key not in known]


def _outer_of(includes: Includes) -> dict[str, str]:
    return {
        normalized(name): normalized(outer) for outer, inner in includes.items() for name in inner
    }


def _ancestors(name: str, outer_of: Mapping[str, str]) -> list[str]:
    """Return the classes around a class, innermost first; the chain ends where it closes."""
    found: list[str] = []
    while (name := outer_of.get(name, "")) and name not in found:
        found.append(name)
    return found
