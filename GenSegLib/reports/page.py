"""The HTML page of a report: one self-contained file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Card:
    """One number of the summary, with an explanatory note."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the page; `body` is HTML. Sections with an empty body are omitted."""

    title: str
    note: str
    body: str
    contours: bool = False


def page(
    title: str, subtitle: str, state: str, cards: Sequence[Card], sections: Sequence[Section]
) -> str:
    """Return the complete HTML document."""
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    summary = "".join(_card(card) for card in cards)
    body = "".join(_section(section) for section in sections if section.body)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>\n{style}</style></head><body>"
        f'<header><div class="inner"><span class="state {escape(state)}">{escape(state)}</span>'
        f"<h1>{escape(title)}</h1><p>{escape(subtitle)}</p></div></header>"
        f'<main><div class="cards">{summary}</div>{body}'
        "<footer>For research use only; not a medical device. Images are shown in radiological "
        "convention: the patient&rsquo;s right is on the left.</footer></main></body></html>\n"
    )


def _card(card: Card) -> str:
    return (
        f'<div class="card"><span>{escape(card.name)}</span><b>{escape(card.value)}</b>'
        f"<small>{escape(card.note)}</small></div>"
    )


def _section(section: Section) -> str:
    switch = (
        '<label class="switch"><input type="checkbox" checked> contours</label>'
        if section.contours
        else ""
    )
    note = f'<p class="note">{escape(section.note)}</p>' if section.note else ""
    return f"<section>{switch}<h2>{escape(section.title)}</h2>{note}{section.body}</section>"
