"""Events from a stream of bytes, whatever comes and however it is cut."""

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
def test_pieces_of_any_size_give_the_same_events(cuts: list[int]) -> None:
    reader = EventReader()
    places = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in zip(places, places[1:])]
    assert [event for piece in pieces for event in reader.feed(piece)] == EVENTS
    assert reader.rest == ""


@given(st.binary(max_size=300))
def test_garbage_is_kept_as_text_and_harms_no_event_after_it(garbage: bytes) -> None:
    reader = EventReader()
    reader.feed(garbage + b"\n")
    assert reader.feed(STREAM) == EVENTS


def test_a_line_without_its_end_counts_when_nothing_more_comes() -> None:
    reader = EventReader()
    reader.feed(STREAM[:-1])
    assert reader.finish() == EVENTS[-1:]
    assert reader.finish() == []


def test_a_line_that_was_cut_short_is_no_event() -> None:
    reader = EventReader()
    reader.feed(STREAM[:-20])
    assert reader.finish() == []
    assert reader.rest.startswith('{"time": 4.0')


def test_bytes_that_are_no_utf8_are_shown_as_they_can_be() -> None:
    reader = EventReader()
    assert reader.feed(b"caf\xe9 \xff\r\n") == []
    assert reader.rest == "caf\ufffd \ufffd"


def test_windows_line_ends_are_read() -> None:
    assert EventReader().feed(STREAM.replace(b"\n", b"\r\n")) == EVENTS


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind": "progress", "phase": "joint"}',
        b'{"kind": "progress", "phase": "joint", "step": "many", "total": 3}',
        b'{"kind": "log", "text": null}',
        b'{"kind": ["log"]}',
        b"[" * 100_000,
        b"null",
        b"12",
    ],
)
def test_what_looks_like_an_event_and_is_none_is_left_out(line: bytes) -> None:
    reader = EventReader()
    assert reader.feed(line + b"\n") == []
    assert reader.rest


def test_what_is_kept_has_a_bound() -> None:
    reader = EventReader()
    for _ in range(40):
        reader.feed(b"x" * 100_000)
    for number in range(1000):
        reader.feed(f"line {number}\n".encode())
    assert len(reader.rest) < 500_000
    assert reader.rest.endswith("line 999")
