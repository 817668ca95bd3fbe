"""Which image belongs to which label, by the names of their files.

Light: the standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

_CHANNEL = re.compile(r"(.+)_(\d{4})")


def pair_names(images: Iterable[str], labels: Collection[str]) -> dict[str, list[str]]:
    """Return the images of each case by the case's name.

    An image belongs to the label of the same name. nnU-Net's channel number is ignored only where
    there is a label of the shortened name: `liver_0000` and `liver_0001` are the channels of the
    label `liver`, but `liver_0001` is a case of its own if `liver_0001` is a label, or `liver` is
    none.

    Args:
        images: names without suffix.
        labels: names without suffix.

    Returns:
        Cases in the order of the images; the images of a case are sorted by channel.
    """
    cases: dict[str, list[str]] = {}
    for image in sorted(images):
        cases.setdefault(case_name(image, labels), []).append(image)
    return cases


def case_name(image: str, labels: Collection[str]) -> str:
    """Return the name of an image's case; see `pair_names`."""
    match = _CHANNEL.fullmatch(image)
    if image in labels or match is None or match[1] not in labels:
        return image
    return match[1]
