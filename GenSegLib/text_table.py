"""Tables for the terminal. Light: the standard library only."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(rows: Sequence[Sequence[str]], *, underlined: bool = False) -> str:
    """Return rows with aligned columns, headings first; `underlined` sets the headings apart."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    if underlined:
        lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
