"""Phases end by steps or by time; the learning rate warms up and decays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from GenSegLib.config import TrainConfig
from GenSegLib.training.schedule import Schedule

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
    assert not schedule.is_over("final", 1, 59.0)
    assert schedule.is_over("final", 1, 60.0)


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
    assert Schedule.of(TIMED).remaining_s("final", 0, 2.0, 50.0) == 10.0


def test_consistency_adds_to_the_cost_of_the_segmenters_steps_only() -> None:
    consistent = TrainConfig(consistency="mean-teacher")
    without = Schedule.of(TrainConfig()).costs
    with_term = Schedule.of(consistent).costs
    assert with_term["warm-up"] < without["warm-up"]
    assert 1.0 < with_term["joint"] < without["joint"]
    assert Schedule.of(replace(consistent, generator="none")).costs["joint"] == 1.0


def test_joint_steps_cost_more_with_a_generator_and_with_hypergradients() -> None:
    more = ({"generator": "none"}, {"hypergradient": "none"}, {}, {"upper_interval": 1})
    costs = [Schedule.of(TrainConfig(**settings)).costs["joint"] for settings in more]
    assert costs[0] == 1.0
    assert costs == sorted(set(costs))
