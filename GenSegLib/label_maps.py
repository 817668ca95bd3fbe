"""Label maps: the names of label values.

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .errors import GenSegError

LARGEST_LABEL = 32767


def parse_labels(values: object) -> dict[int, str]:
    """Convert a JSON object {"1": name} to a label map without background.

    Raises:
        GenSegError: it is not such an object.
    """
    if not isinstance(values, Mapping):
        raise GenSegError('"labels" must be an object of the form {"1": "name"}')
    try:
        labels = {int(value): str(name) for value, name in values.items()}
    except (TypeError, ValueError):
        raise GenSegError(
            f'the keys of "labels" must be integers, not {", ".join(map(str, values))}'
        ) from None
    labels.pop(0, None)
    return labels


def check_labels(labels: Mapping[int, str]) -> None:
    """Raise GenSegError unless all values are in 1..32767."""
    for value in labels:
        if not 1 <= value <= LARGEST_LABEL:
            raise GenSegError(
                f"label value {value} is outside 1..{LARGEST_LABEL} (0 is the background)"
            )


def require_compatible_labels(
    found: Mapping[int, str], expected: Mapping[int, str], optional: Collection[int] = ()
) -> None:
    """Check that the label map of the cases fits that of the preset; an empty map fits any.

    The values must be equal, except that optional ones may be missing. Names may differ, since
    structures have many names, but a permutation of the names means that labels are swapped.

    Raises:
        GenSegError: they do not fit.
    """
    if not found or not expected:
        return
    needed = expected.keys() - (set(optional) - found.keys())
    value_of = {_normalize(name): value for value, name in expected.items()}
    swapped = any(value_of.get(_normalize(name), value) != value for value, name in found.items())
    if found.keys() != needed or swapped:
        raise GenSegError(
            f"the cases have the labels {format_labels(found)}, but the preset expects "
            f"{format_labels(expected)}; relabel the cases or choose another preset"
        )


def _normalize(name: str) -> str:
    return name.strip().casefold()


def format_labels(labels: Mapping[int, str]) -> str:
    """Format a label map for messages: "1 Anterior, 2 Posterior"."""
    return ", ".join(f"{value} {name}" for value, name in sorted(labels.items()))
