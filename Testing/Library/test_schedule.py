"""Phases end by steps or by time, and the segmenter's rate rises shortly and falls to nothing."""

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
    assert [schedule.before(phase) for phase in schedule.steps] == [0, 10, 110]
    assert schedule.total == 310


def test_a_phase_ends_with_its_steps() -> None:
    schedule = Schedule.of(CONFIG)
    assert not schedule.is_over("joint", 99, 1e9)
    assert schedule.is_over("joint", 100, 0.0)


def test_a_time_budget_gives_each_phase_its_share_and_ends_the_last_in_time() -> None:
    schedule = Schedule.of(TIMED)
    assert schedule.is_over("warm-up", 1, 5.0)
    assert not schedule.is_over("joint", 1, 5.0)
    assert schedule.is_over("joint", 1, 50.0)
    assert not schedule.is_over("final", 1, 59.0)
    assert schedule.is_over("final", 1, 60.0)


def test_the_rate_rises_shortly_and_then_falls_over_both_segmenter_phases() -> None:
    schedule = Schedule.of(CONFIG)
    rates = [schedule.segmenter_rate("joint", step, 0.0) for step in range(100)]
    rates += [schedule.segmenter_rate("final", step, 0.0) for step in range(200)]
    peak = rates.index(max(rates))
    assert peak < 60
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 0.02


def test_under_a_time_budget_the_rate_falls_with_the_time() -> None:
    schedule = Schedule.of(TIMED)
    early, late = (schedule.segmenter_rate("final", 1, elapsed) for elapsed in (10.0, 58.0))
    assert late < 0.1 * early


def test_the_remaining_time_counts_the_later_phases() -> None:
    schedule = Schedule.of(CONFIG)
    assert schedule.remaining_s("final", 100, 2.0, 0.0) == 200.0
    cost = schedule.costs["joint"]
    assert schedule.remaining_s("joint", 100, cost, 0.0) == pytest.approx(200.0)
    assert Schedule.of(TIMED).remaining_s("final", 0, 2.0, 50.0) == 10.0


def test_unlabeled_scans_make_the_segmenters_steps_dearer_and_not_the_generators() -> None:
    scans = TrainConfig(consistency="mean-teacher")
    alone = Schedule.of(TrainConfig()).costs
    beside = Schedule.of(scans).costs
    assert beside["warm-up"] < alone["warm-up"]
    assert 1.0 < beside["joint"] < alone["joint"]
    assert Schedule.of(replace(scans, generator="none")).costs["joint"] == 1.0


def test_a_joint_step_costs_more_the_more_it_does() -> None:
    more = ({"generator": "none"}, {"hypergradient": "none"}, {}, {"upper_every": 1})
    costs = [Schedule.of(TrainConfig(**settings)).costs["joint"] for settings in more]
    assert costs[0] == 1.0
    assert costs == sorted(set(costs))
