"""The numbers of channels that images of one training have in common. Light: standard library."""

from __future__ import annotations


def possible_channels(count: int, is_gray: bool) -> frozenset[int]:
    """Return the numbers of channels that an image can be learned from with.

    Args:
        count: of its channels.
        is_gray: whether it is gray, but stored in color, see `is_gray_in_color`.
    """
    return frozenset({1, count}) if is_gray else frozenset({count})


class ChannelCounts:
    """Compares images one by one.

    Attributes:
        common: numbers that all images can be learned from with; empty before the first.
        other: name of the last image that narrowed them.
    """

    def __init__(self) -> None:
        self.common: frozenset[int] = frozenset()
        self.other = ""

    def add(self, name: str, possible: frozenset[int]) -> bool:
        """Return whether an image fits those before; one that does not is left out."""
        common = (self.common or possible) & possible
        if not common:
            return False
        if common != self.common:
            self.common, self.other = common, name
        return True
