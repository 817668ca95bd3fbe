"""Which image belongs to which label, by the names of their files.

Light: the standard library alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from ..errors import GenSegError

FIRST_CHANNEL = "_0000"  # of nnU-Net
_CHANNEL = re.compile(r"(.+)_(\d{4})")


class UnpairedError(GenSegError):
    """Images and labels do not have the names of each other.

    Args:
        message: what is wrong.
        count: number of labels without an image, 0 if that is not the reason.
    """

    def __init__(self, message: str, count: int = 0) -> None:
        super().__init__(message)
        self.count = count


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


def group_channels(images: Sequence[str], channels: int) -> dict[str, list[str]]:
    """Return the images of each case where there are no labels to name the cases.

    Args:
        images: names without suffix.
        channels: files per case; images without a channel number below it are cases of their own.
    """
    cases: dict[str, list[str]] = {}
    for image in sorted(images) if channels > 1 else images:
        match = _CHANNEL.fullmatch(image)
        is_channel = channels > 1 and match is not None and int(match[2]) < channels
        cases.setdefault(match[1] if match and is_channel else image, []).append(image)
    return cases


def count_channels(images: Iterable[str]) -> int:
    """Return the number of channels that all cases have by the names of their images, else 1.

    That is 2 for `a_0000`, `a_0001`, `b_0000` and `b_0001`, and 1 if a further image has no number.

    Args:
        images: names without suffix.
    """
    found: dict[str, set[int]] = {}
    for image in images:
        match = _CHANNEL.fullmatch(image)
        if match is None:
            return 1
        found.setdefault(match[1], set()).add(int(match[2]))
    counts = {len(numbers) for numbers in found.values()}
    is_equal = len(counts) == 1 and all(set(range(len(each))) == each for each in found.values())
    return counts.pop() if is_equal else 1


def missing_channels(images: Iterable[str], channels: int) -> list[str]:
    """Return the names of the images that a case lacks of its channels 0 to `channels` - 1.

    Args:
        images: names without suffix; the result is empty if they have no channel numbers.
        channels: of a case.
    """
    matches = [match for image in images if (match := _CHANNEL.fullmatch(image))]
    found = {int(match[2]) for match in matches}
    absent = (k for k in range(channels) if k not in found)
    return [f"{matches[0][1]}_{k:04d}" for k in absent] if matches else []


def require_equal_channels(
    cases: Mapping[str, Sequence[str]], channels: int = 0, names: Sequence[str] = ()
) -> None:
    """Check that every case has the same channels.

    Args:
        cases: names of the images of each case.
        channels: expected number; that of most cases if 0.
        names: of the channels, for the message.

    Raises:
        GenSegError: a case lacks a channel; the message names both.
    """
    counts = Counter(map(len, cases.values()))
    expected = channels or max(counts, key=lambda count: (counts[count], count), default=1)
    for case, images in cases.items():
        if len(images) == expected == 1:
            continue
        found = {int(match[2]) for image in images if (match := _CHANNEL.fullmatch(image))}
        missing = sorted(set(range(max(expected, len(images)))) - found)
        if len(images) > expected:
            raise GenSegError(
                f"case {case} has {len(images)} channels ({', '.join(images)}), but {expected} "
                f"{'is' if expected == 1 else 'are'} expected; remove files of the others"
            )
        if missing:
            name = f" ({names[missing[0]]})" if missing[0] < len(names) else ""
            raise GenSegError(
                f"case {case} lacks channel {missing[0]}{name}, the file "
                f"{case}_{missing[0]:04d}; add it, or leave the case out"
            )


def case_name(image: str, labels: Collection[str]) -> str:
    """Return the name of an image's case; see `pair_names`."""
    match = _CHANNEL.fullmatch(image)
    if image in labels or match is None or match[1] not in labels:
        return image
    return match[1]
