"""The event stream, and what a terminal shows of it."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from GenSegLib.events import EventLog, parse_line, read_events, to_line
from GenSegLib.progress import JsonLines, TerminalProgress, format_duration, format_progress
from GenSegLib.runs import State


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_events_are_read_in_order_with_their_time(tmp_path: Path) -> None:
    before = time.time()
    log = EventLog(tmp_path / "events.jsonl")
    log.state("running")
    log.progress("joint", 5, 100, remaining_s=9.5)
    log.metrics("joint", 5, segmenter_loss=0.5, gamma=1.0)
    log.preview(5, "previews/5")
    EventLog(tmp_path / "events.jsonl").log("no validation", level="warning")
    log.error("the disk is full")
    events = read_events(tmp_path / "events.jsonl")
    assert all(abs(event.pop("time") - before) < 60 for event in events)
    assert events == [
        {"kind": "state", "state": "running"},
        {"kind": "progress", "phase": "joint", "step": 5, "total": 100, "remaining_s": 9.5},
        {"kind": "metrics", "phase": "joint", "step": 5, "segmenter_loss": 0.5, "gamma": 1.0},
        {"kind": "preview", "step": 5, "folder": "previews/5"},
        {"kind": "log", "text": "no validation", "level": "warning"},
        {"kind": "error", "text": "the disk is full"},
    ]


@given(st.text())
def test_every_event_is_one_line(text: str) -> None:
    seen: list[dict[str, Any]] = []
    EventLog(None, [seen.append]).log(text)
    line = to_line(seen[0]).encode("utf-8", "surrogatepass")
    assert b"\n" not in line
    assert parse_line(line.decode("utf-8", "surrogatepass")) == seen[0]


def test_nan_and_infinity_become_null(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.metrics("joint", 1, a=float("nan"), b=float("inf"), c=np.float32(0.5))
    line = json.loads((tmp_path / "events.jsonl").read_text(encoding="utf-8"))
    assert (line["a"], line["b"], line["c"]) == (None, None, 0.5)


def test_a_line_truncated_by_a_crash_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).log("before")
    with path.open("ab") as stream:
        stream.write(b'{"time": 1, "kind": "lo')
    EventLog(path).log("after")
    assert [event["text"] for event in read_events(path)] == ["before", "after"]


def test_a_missing_file_has_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path / "events.jsonl") == []


@pytest.mark.parametrize("line", ["", "Epoch 1/10", "[1, 2]", '{"kind": "chat"}', b"\xff\xfe"])
def test_other_output_is_not_an_event(line: str | bytes) -> None:
    assert parse_line(line) is None


def test_json_lines_are_one_object_each() -> None:
    stream = io.StringIO()
    log = EventLog(None, [JsonLines(stream)])
    log.state(State.RUNNING)
    log.progress("final", 1, 2)
    kinds = [json.loads(line)["kind"] for line in stream.getvalue().splitlines()]
    assert kinds == ["state", "progress"]


def test_a_terminal_shows_phase_percentage_dice_and_remaining_time_on_one_line() -> None:
    stream = Terminal()
    log = EventLog(None, [TerminalProgress(stream)])
    log.metrics("joint", 40, validation_dice=0.8531)
    for step in (49, 50):
        log.progress("joint", step, 100, remaining_s=200)
    shown = stream.getvalue().split("\r\x1b[K")[-1]
    assert shown == "joint    [############............]  50%  Dice 0.853  3 min 20 s left"
    assert "\n" not in stream.getvalue()


def test_a_terminal_shows_the_last_validation_dice_even_if_it_is_zero() -> None:
    stream = Terminal()
    log = EventLog(None, [TerminalProgress(stream)])
    shown = []
    for metrics in ({"validation_dice": 0.8531}, {"validation_dice": 0.0}, {"segmenter_loss": 0.2}):
        log.metrics("joint", 40, **metrics)
        log.progress("joint", 40, 100)
        shown.append(stream.getvalue().split("  ")[-1])
    assert shown == ["Dice 0.853", "Dice 0.000", "Dice 0.000"]


def test_a_terminal_shows_the_fraction_of_all_phases_if_it_is_known() -> None:
    line = format_progress({"phase": "final", "step": 6, "total": 100, "fraction": 0.6})
    assert line == "final    [##############..........]  60%"


def test_a_new_phase_starts_a_new_line() -> None:
    stream = Terminal()
    progress = TerminalProgress(stream)
    log = EventLog(None, [progress])
    log.progress("warm-up", 10, 10)
    log.progress("joint", 1, 10)
    log.log("only one labeled case", level="warning")
    log.progress("joint", 2, 10)
    progress.close()
    assert stream.getvalue().count("\n") == 3
    assert "\r\x1b[Kwarning: only one labeled case\n" in stream.getvalue()
    assert stream.getvalue().endswith("\n")


def test_a_file_gets_a_plain_line_at_the_start_and_the_end_of_a_phase() -> None:
    stream = io.StringIO()
    log = EventLog(None, [TerminalProgress(stream, interval_s=3600)])
    for step in range(1, 101):
        log.progress("joint", step, 100)
    lines = stream.getvalue().splitlines()
    assert [line.split()[-1] for line in lines] == ["1%", "100%"]
    assert "\r" not in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (59.7, "1 min"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_are_formatted_in_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
