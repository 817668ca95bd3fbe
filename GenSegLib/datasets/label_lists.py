"""Label maps in lists of cases: names by value, nnU-Net's `ignore` label and its regions.

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..case_annotation import split_special
from ..errors import GenSegError
from ..label_maps import parse_labels


@dataclass(frozen=True)
class LabelList:
    """The labels of a data set.

    Attributes:
        labels: class name by value.
        values: meaning of other values in the label files, see `Annotation.values`.
        includes: names of the classes within a class, see `nesting`.
    """

    labels: dict[int, str] = field(default_factory=dict)
    values: dict[int, int] = field(default_factory=dict)
    includes: dict[str, tuple[str, ...]] = field(default_factory=dict)


def parse_label_list(values: object) -> LabelList:
    """Read {"1": "liver"}, as in the Decathlon, or {"liver": 1}, as in nnU-Net v2.

    nnU-Net's regions, such as {"whole tumor": [1, 2], "core": 2}, become nested classes: a region
    gets the values that no region within it has. The label "ignore" is no class.

    Raises:
        GenSegError: the labels have another form, or regions overlap without being nested.
    """
    if not (isinstance(values, Mapping) and _maps_names_to_values(values)):
        labels, special = split_special(parse_labels(values))
        return LabelList(labels, special)
    by_name = {str(name): _value_set(name, value) for name, value in values.items()}
    single = {min(found): name for name, found in by_name.items() if len(found) == 1}
    labels, special = split_special(parse_labels({str(k): name for k, name in single.items()}))
    regions = {name: found for name, found in by_name.items() if len(found) > 1}
    if not regions:
        return LabelList(labels, special)
    return _nested(regions | {name: frozenset({value}) for value, name in labels.items()}, special)


def _nested(regions: Mapping[str, frozenset[int]], special: Mapping[int, int]) -> LabelList:
    """Return exclusive labels of nested regions, and which is within which."""
    labels: dict[int, str] = {}
    merged = dict(special)
    includes: dict[str, tuple[str, ...]] = {}
    for name, values in regions.items():
        inner = {other: found for other, found in regions.items() if found < values}
        for other, found in regions.items():
            if other != name and found & values and not (found <= values or values <= found):
                raise GenSegError(
                    f"the regions {name} and {other} overlap, but neither is within the other; "
                    "only nested regions are supported"
                )
        own = sorted(values.difference(*inner.values()))
        if not own:
            raise GenSegError(
                f"the region {name} has no value that is not in a region within it; list a value "
                f"of its own, or leave {name} out"
            )
        labels[own[0]] = name
        merged |= dict.fromkeys(own[1:], own[0])
        direct = [o for o, found in inner.items() if not any(found < x for x in inner.values())]
        if direct:
            includes[name] = tuple(direct)
    return LabelList(labels, merged, includes)


def _value_set(name: object, value: Any) -> frozenset[int]:
    values = value if isinstance(value, list) else [value]
    try:
        found = frozenset(int(each) for each in values)
    except (TypeError, ValueError):
        raise GenSegError(f"the label {name} has the value {value!r}, not a number") from None
    if not found or (len(found) > 1 and 0 in found):
        raise GenSegError(f"the label {name} has the values {value!r}; list values above 0")
    return found


def _maps_names_to_values(values: Mapping[str, object]) -> bool:
    is_value = [isinstance(value, (int, list)) or _is_integer(value) for value in values.values()]
    return all(is_value) and not all(map(_is_integer, values))


def _is_integer(text: object) -> bool:
    return isinstance(text, str) and text.strip().lstrip("-").isdigit()
