"""The stream of events between a training and who watches it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from GenSegLib.events import EventLog, parse_line, read_events
from GenSegLib.runs import State


def test_events_come_back_in_order_with_their_time(tmp_path: Path) -> None:
    before = time.time()
    log = EventLog(tmp_path / "events.jsonl")
    log.state("running")
    log.progress("joint", 5, 100, remaining_s=9.5)
    log.metrics("joint", 5, segmenter_loss=0.5, gamma=1.0)
    log.preview(5, "previews/5")
    log.log("no validation", level="warning")
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


def test_a_second_log_appends_to_the_first(tmp_path: Path) -> None:
    for text in ("first", "second"):
        EventLog(tmp_path / "events.jsonl").log(text)
    assert [e["text"] for e in read_events(tmp_path / "events.jsonl")] == ["first", "second"]


def test_every_event_is_one_line_whatever_its_text(tmp_path: Path) -> None:
    EventLog(tmp_path / "events.jsonl").log("two\nlines, größer\u2028")
    assert (tmp_path / "events.jsonl").read_bytes().count(b"\n") == 1
    assert read_events(tmp_path / "events.jsonl")[0]["text"] == "two\nlines, größer\u2028"


def test_what_is_no_number_becomes_null_since_json_has_no_nan(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.metrics("joint", 1, a=float("nan"), b=float("inf"), c=np.float32(0.5))
    line = json.loads((tmp_path / "events.jsonl").read_text(encoding="utf-8"))
    assert (line["a"], line["b"], line["c"]) == (None, None, 0.5)


def test_sinks_get_each_event_even_without_a_file() -> None:
    seen: list[dict[str, Any]] = []
    EventLog(None, [seen.append]).state(State.FINISHED)
    assert [(event["kind"], event["state"]) for event in seen] == [("state", "finished")]


def test_a_line_that_a_crash_cut_is_left_out_and_the_next_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).log("before")
    with path.open("ab") as stream:
        stream.write(b'{"time": 1, "kind": "lo')
    assert [event["text"] for event in read_events(path)] == ["before"]
    EventLog(path).log("after")
    assert [event["text"] for event in read_events(path)] == ["before", "after"]


def test_a_missing_file_has_no_events(tmp_path: Path) -> None:
    assert read_events(tmp_path / "events.jsonl") == []


@pytest.mark.parametrize("line", ["", "Epoch 1/10", "[1, 2]", '{"kind": "chat"}', b"\xff\xfe", "3"])
def test_what_is_no_event_is_none(line: str | bytes) -> None:
    assert parse_line(line) is None
