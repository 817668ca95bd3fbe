"""Phases end by steps or by time; the learning rate warms up and decays."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from GenSegLib.config import TrainConfig
from GenSegLib.training.schedule import PHASES, Schedule

CONFIG = TrainConfig(warmup_steps=10, joint_steps=100, final_steps=200)
TIMED = TrainConfig(warmup_steps=10, joint_steps=100, final_steps=200, time_budget_s=60.0)


def test_without_a_generator_there_is_no_warm_up() -> None:
    assert Schedule.of(replace(CONFIG, generator="none")).is_over("warm-up", 0, 0.0)
    assert not Schedule.of(CONFIG).is_over("warm-up", 0, 0.0)


def test_steps_are_counted_over_all_phases() -> None:
    schedule = Schedule.of(CONFIG)
    assert [schedule.steps_before(phase) for phase in schedule.steps] == [0, 10, 110]
    assert schedule.total == 310


def test_a_phase_ends_after_its_steps() -> None:
    schedule = Schedule.of(CONFIG)
    assert not schedule.is_over("joint", 99, 1e9)
    assert schedule.is_over("joint", 100, 0.0)


def test_a_time_budget_is_shared_by_the_phases() -> None:
    schedule = Schedule.of(TIMED)
    assert schedule.is_over("warm-up", 1, 5.0)
    assert not schedule.is_over("joint", 1, 5.0)
    assert schedule.is_over("joint", 1, 50.0)
    assert not schedule.is_over("final", 1, schedule.deadline_s - 0.1)
    assert schedule.is_over("final", 1, schedule.deadline_s)


def test_the_deadline_leaves_time_for_model_and_report() -> None:
    deadlines = {budget: replace(CONFIG, time_budget_s=budget) for budget in (60.0, 1200.0)}
    assert [Schedule.of(config).deadline_s for config in deadlines.values()] == [57.0, 1195.0]


def test_preparation_counts_and_the_phases_share_the_rest() -> None:
    schedule = replace(Schedule.of(TIMED), preparation_s=27.0)
    unprepared = Schedule.of(TIMED)
    for phase in PHASES:
        share = unprepared.phase_end_s(phase) / 57.0
        assert schedule.phase_end_s(phase) == pytest.approx(27.0 + share * 30.0)


@given(
    st.floats(0, 50),
    st.floats(0, 0.2),
    st.lists(st.integers(0, 300), min_size=3, max_size=3).filter(lambda steps: steps[2] > 0),
)
def test_however_slow_steps_are_every_phase_has_its_share_and_the_rate_decays(
    preparation_s: float, step_s: float, counts: list[int]
) -> None:
    steps = dict(zip(("warmup_steps", "joint_steps", "final_steps"), counts))
    schedule = Schedule.of(replace(TIMED, **steps))
    schedule = replace(schedule, preparation_s=preparation_s)
    elapsed, fractions, rates = preparation_s, [], [1.0]
    for phase in PHASES:
        step = 0
        while not schedule.is_over(phase, step, elapsed):
            rates.append(schedule.lr_fraction(phase, step, elapsed))
            elapsed += step_s
            step += 1
            fractions.append(schedule.fraction(phase, step, elapsed))
        assert elapsed <= schedule.phase_end_s(phase) + step_s
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0, abs=0.05)
    assert schedule.progress("final", step, elapsed) >= 1.0 or step == counts[2]
    assert elapsed <= schedule.deadline_s + step_s


def test_progress_is_a_share_of_the_time_where_time_is_the_limit() -> None:
    schedule = Schedule.of(TIMED)
    assert schedule.fraction("final", 3, 0.6 * schedule.deadline_s) == pytest.approx(0.6, abs=0.05)
    assert Schedule.of(CONFIG).fraction("final", 100, 1e6) < 1.0
    assert Schedule.of(CONFIG).fraction("final", 200, 1.0) == 1.0


def test_the_learning_rate_warms_up_and_decays_over_both_segmenter_phases() -> None:
    schedule = Schedule.of(CONFIG)
    rates = [schedule.lr_fraction("joint", step, 0.0) for step in range(100)]
    rates += [schedule.lr_fraction("final", step, 0.0) for step in range(200)]
    peak = rates.index(max(rates))
    assert peak < 60
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 0.02


def test_with_a_time_budget_the_learning_rate_decays_by_time() -> None:
    schedule = Schedule.of(TIMED)
    early, late = (schedule.lr_fraction("final", 1, elapsed) for elapsed in (10.0, 58.0))
    assert late < 0.1 * early


def test_the_remaining_time_includes_later_phases() -> None:
    schedule = Schedule.of(CONFIG)
    assert schedule.remaining_s("final", 100, 2.0, 0.0) == 200.0
    cost = schedule.costs["joint"]
    assert schedule.remaining_s("joint", 100, cost, 0.0) == pytest.approx(200.0)
    assert Schedule.of(TIMED).remaining_s("final", 0, 2.0, 50.0) == 7.0


def test_joint_steps_cost_more_with_a_generator_and_with_hypergradients() -> None:
    more = ({"generator": "none"}, {"hypergradient": "none"}, {}, {"upper_interval": 1})
    costs = [Schedule.of(TrainConfig(**settings)).costs["joint"] for settings in more]
    assert costs[0] == 1.0
    assert costs == sorted(set(costs))
