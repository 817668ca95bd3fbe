"""Parsing of events from byte streams in chunks of any size, with invalid lines."""

from __future__ import annotations

import pytest
from GenSegSlicerLib.EventReader import EventReader
from hypothesis import given
from hypothesis import strategies as st

from GenSegLib.events import to_line

EVENTS = [
    {"time": 1.0, "kind": "state", "state": "running"},
    {"time": 2.0, "kind": "log", "text": "Größe 3 µm, 海馬 🧠", "level": "info"},
    {"time": 3.0, "kind": "progress", "phase": "joint", "step": 5, "total": 9, "remaining_s": 1.5},
    {"time": 4.0, "kind": "metrics", "phase": "joint", "step": 5, "validation_dice": None},
]
STREAM = "".join(f"{to_line(event)}\n" for event in EVENTS).encode()


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_chunks_of_any_size_give_the_same_events(splits: list[int]) -> None:
    reader = EventReader()
    places = [0, *sorted(splits), len(STREAM)]
    chunks = [STREAM[start:end] for start, end in zip(places, places[1:])]
    assert [event for chunk in chunks for event in reader.feed(chunk)] == EVENTS
    assert reader.otherText == ""


@given(st.binary(max_size=300))
def test_invalid_lines_are_skipped(garbage: bytes) -> None:
    reader = EventReader()
    reader.feed(garbage + b"\n")
    assert reader.feed(STREAM) == EVENTS


def test_an_unterminated_last_line_is_read_at_the_end() -> None:
    reader = EventReader()
    reader.feed(STREAM[:-1])
    assert reader.finish() == EVENTS[-1:]
    assert reader.finish() == []


def test_a_truncated_line_is_not_an_event() -> None:
    reader = EventReader()
    reader.feed(STREAM[:-20])
    assert reader.finish() == []
    assert reader.otherText.startswith('{"time": 4.0')


def test_windows_line_endings_are_read() -> None:
    assert EventReader().feed(STREAM.replace(b"\n", b"\r\n")) == EVENTS


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind": "progress", "phase": "joint"}',
        b'{"kind": "progress", "phase": "joint", "step": "many", "total": 3}',
        b'{"kind": ["log"]}',
        b"[" * 100_000,
        b"12",
        b"caf\xe9 \xff",
    ],
)
def test_malformed_events_are_skipped_and_kept_as_text(line: bytes) -> None:
    reader = EventReader()
    assert reader.feed(line + b"\n") == []
    assert reader.otherText


def test_kept_text_is_bounded() -> None:
    reader = EventReader()
    for _ in range(40):
        reader.feed(b"x" * 100_000)
    for number in range(1000):
        reader.feed(f"line {number}\n".encode())
    assert len(reader.otherText) < 500_000
    assert reader.otherText.endswith("line 999")
