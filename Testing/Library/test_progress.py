"""What a terminal shows."""

from __future__ import annotations

import io
import json

import pytest

from GenSegLib.events import EventLog
from GenSegLib.progress import JsonLines, TerminalProgress, describe_duration


class Terminal(io.StringIO):
    """A stream that takes itself for a terminal."""

    def isatty(self) -> bool:
        return True


def test_json_lines_are_one_object_each() -> None:
    stream = io.StringIO()
    log = EventLog(None, [JsonLines(stream)])
    log.state("running")
    log.progress("final", 1, 2)
    kinds = [json.loads(line)["kind"] for line in stream.getvalue().splitlines()]
    assert kinds == ["state", "progress"]


def test_a_terminal_shows_phase_percent_dice_and_remaining_time_on_one_moving_line() -> None:
    stream = Terminal()
    log = EventLog(None, [TerminalProgress(stream)])
    log.metrics("joint", 40, validation_dice=0.8531)
    for step in (49, 50):
        log.progress("joint", step, 100, remaining_s=200)
    shown = stream.getvalue().split("\r\x1b[K")[-1]
    assert shown == "joint    [############............]  50%  Dice 0.853  3 min 20 s left"
    assert "\n" not in stream.getvalue()


def test_a_new_phase_starts_a_new_line_and_the_end_closes_it() -> None:
    stream = Terminal()
    progress = TerminalProgress(stream)
    log = EventLog(None, [progress])
    log.progress("warm-up", 10, 10)
    log.progress("joint", 1, 10)
    progress.close()
    assert stream.getvalue().count("\n") == 2
    assert stream.getvalue().endswith("\n")


def test_a_message_does_not_tear_the_moving_line() -> None:
    stream = Terminal()
    log = EventLog(None, [TerminalProgress(stream)])
    log.progress("joint", 1, 10)
    log.log("only one labeled case", level="warning")
    assert stream.getvalue().endswith("\r\x1b[Kwarning: only one labeled case\n")


def test_a_file_gets_a_plain_line_at_the_start_and_the_end_of_a_phase() -> None:
    stream = io.StringIO()
    log = EventLog(None, [TerminalProgress(stream, every_s=3600)])
    for step in range(1, 101):
        log.progress("joint", step, 100)
    lines = stream.getvalue().splitlines()
    assert [line.split()[-1] for line in lines] == ["1%", "100%"]
    assert "\r" not in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (44.6, "45 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_a_duration_is_told_as_a_person_says_it(seconds: float, text: str) -> None:
    assert describe_duration(seconds) == text
