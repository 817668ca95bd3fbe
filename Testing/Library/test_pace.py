"""When a training looks anew how it computes: where its steps have become much slower."""

from __future__ import annotations

from GenSegLib.training.pace import Pace


def looks(pace: Pace, *steps: tuple[float, float]) -> list[bool]:
    """What the pace asks for after each step of these seconds and costs."""
    return [pace.asks_for_a_look(seconds, cost) for seconds, cost in steps]


def going_pace() -> Pace:
    """The pace of a training whose steps have taken 4 s each."""
    pace = Pace()
    looks(pace, *[(4.0, 1.0)] * 20)
    return pace


def test_the_first_steps_ask_for_a_look_once() -> None:
    assert looks(Pace(), *[(4.0, 1.0)] * 40) == [*[False] * 9, True, *[False] * 30]


def test_short_steps_are_compared_when_there_are_seconds_of_them() -> None:
    assert looks(Pace(), *[(0.5, 1.0)] * 40) == [*[False] * 39, True]


def test_steps_that_become_twice_as_slow_ask_for_a_look() -> None:
    assert looks(going_pace(), *[(9.0, 1.0)] * 10)[-1]


def test_a_little_slower_changes_nothing() -> None:
    assert not any(looks(going_pace(), *[(6.0, 1.0)] * 30))


def test_steps_that_cost_more_may_take_longer() -> None:
    assert not any(looks(going_pace(), *[(12.0, 3.0)] * 30))


def test_what_stays_slow_is_looked_at_once() -> None:
    assert looks(going_pace(), *[(9.0, 1.0)] * 40).count(True) == 1


def test_slower_than_the_fastest_before_is_slower() -> None:
    pace = going_pace()
    assert not any(looks(pace, *[(2.0, 1.0)] * 10))
    assert looks(pace, *[(4.5, 1.0)] * 10)[-1]
