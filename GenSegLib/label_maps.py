"""Label maps: which value of a label volume stands for what; light."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .errors import GenSegError

LARGEST_LABEL = 32767


def parse_labels(values: object) -> dict[int, str]:
    """Turn a JSON object {"1": name} into a label map without its background.

    Raises:
        GenSegError: it is not such an object.
    """
    if not isinstance(values, Mapping):
        raise GenSegError('"labels" is not an object of the form {"1": "name"}')
    try:
        labels = {int(value): str(name) for value, name in values.items()}
    except (TypeError, ValueError):
        raise GenSegError(
            f'"labels" has a key that is not a whole number: {", ".join(map(str, values))}'
        ) from None
    labels.pop(0, None)
    return labels


def check_labels(labels: Mapping[int, str]) -> None:
    """Check that every value can be stored as a label.

    Raises:
        GenSegError: a value is not in 1..32767.
    """
    for value in labels:
        if not 1 <= value <= LARGEST_LABEL:
            raise GenSegError(
                f"label value {value} is outside 1..{LARGEST_LABEL} (0 is the background)"
            )


def require_fitting_labels(
    found: Mapping[int, str], expected: Mapping[int, str], optional: Collection[int] = ()
) -> None:
    """Check that the cases' label map fits the preset's; an empty map fits any.

    The values have to be equal, but for the optional ones, which may be missing. The names may
    differ, since people call one structure many names, but not as a permutation of each other:
    that is a swap of labels.

    Raises:
        GenSegError: they do not fit.
    """
    if not found or not expected:
        return
    needed = expected.keys() - (set(optional) - found.keys())
    value_of = {_plain(name): value for value, name in expected.items()}
    swapped = any(value_of.get(_plain(name), value) != value for value, name in found.items())
    if found.keys() != needed or swapped:
        raise GenSegError(
            f"the cases have the labels {show_labels(found)} and the preset expects "
            f"{show_labels(expected)}; relabel the cases or choose another preset"
        )


def _plain(name: str) -> str:
    return name.strip().casefold()


def show_labels(labels: Mapping[int, str]) -> str:
    """Write a label map for people: "1 Anterior, 2 Posterior"."""
    return ", ".join(f"{value} {name}" for value, name in sorted(labels.items()))
