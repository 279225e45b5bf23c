"""Capacity that was taken away and is missed soon after is kept longer the next time."""

from dataclasses import replace

import pytest
from tests.unit.law.plant import Plant, scaling

from gunicorn_autotune.law.shrink import regretted, shrunk, window_seconds
from gunicorn_autotune.model.decisions import Action
from gunicorn_autotune.model.history import History, Recycling
from gunicorn_autotune.testing import a_policy

POLICY = a_policy(max_workers=64)
DESCENDED = History(shrunk_at=100.0, shrunk_from=20)
"""From 20 workers, at 100 s."""


@pytest.mark.parametrize(("regrets", "seconds"), [(0, 300.0), (1, 600.0), (2, 1200.0), (3, 1800.0)])
def test_each_regret_doubles_the_window_to_half_an_hour_at_most(regrets, seconds):
    """300 s by the policy."""
    assert seconds == window_seconds(POLICY, History(regrets=regrets))


def test_a_window_longer_than_half_an_hour_stays_as_it_is():
    """The operator's setting is never cut."""
    policy = a_policy(max_workers=64, scale_down_window_seconds=7200)

    assert 7200.0 == window_seconds(policy, History(regrets=3))


def test_growing_back_within_half_an_hour_is_regretted():
    """From 8 of the 20 that were there."""
    assert 1 == regretted(DESCENDED, at=1900.0, count=8).regrets


def test_growing_beyond_what_was_there_is_not_regretted():
    """20 would not have been enough either."""
    assert 0 == regretted(DESCENDED, at=200.0, count=20).regrets


def test_growing_back_later_ends_the_regrets():
    """The shrink saved half an hour of memory: it was right."""
    assert 0 == regretted(replace(DESCENDED, regrets=2), at=1900.5, count=8).regrets


def test_one_descent_is_regretted_once():
    """Growth comes in several steps, the mistake was one."""
    once = regretted(DESCENDED, at=200.0, count=8)

    assert 1 == regretted(once, at=201.0, count=12).regrets


def test_there_are_three_regrets_at_most():
    """The window would not grow any more."""
    assert 3 == regretted(replace(DESCENDED, regrets=3), at=200.0, count=8).regrets


def test_without_a_shrink_there_is_nothing_to_regret():
    """The very first growth."""
    assert History() == regretted(History(), at=200.0, count=8)


@pytest.mark.parametrize(("at", "since"), [(105.0, 20), (160.0, 20), (161.0, 17)])
def test_steps_within_a_minute_are_one_descent(at, since):
    """It began at 20; after a pause it is another."""
    assert since == shrunk(DESCENDED, at, count=17).shrunk_from


def descended(seconds=60.0):
    """A load that fell: from fifteen workers down to the minimum."""
    policy = a_policy(max_workers=64, calm_seconds=5, scale_down_window_seconds=20)
    plant = Plant(scaling(), policy=policy).serve(80, 20).serve(2, seconds)
    assert plant.acts(Action.SHRINK)
    return plant


def test_pressure_soon_after_a_shrink_is_regretted():
    """Requests wait for workers that were there a minute ago."""
    assert 1 == descended().serve(150, 2).history.regrets


def test_what_was_regretted_counts_as_needed():
    """So the workers stay for the longer window, even those that only drain the queue."""
    plant = descended().serve(150, 0.25)

    assert plant.target == plant.history.needed[0][1]


def test_a_replacement_is_not_regretted():
    """A worker that is recycled was not missed: one more for a while is no growth."""
    plant = descended()
    plant.history = replace(plant.history, recycling=Recycling((1,), plant.target, plant.at))
    plant.serve(2, 0.25)

    assert 0 == plant.history.regrets


def test_a_raised_minimum_is_not_regretted():
    """The operator asked for more, no request did."""
    plant = descended()
    plant.policy = replace(plant.policy, min_workers=10)
    plant.serve(2, 0.25)

    assert 0 == plant.history.regrets


def test_a_rollback_is_not_a_descent():
    """What did not help is not missed."""
    plant = Plant(lambda workers: 100.0).serve(20, 30).serve(200, 60)

    assert plant.acts(Action.ROLLBACK)
    assert plant.history.shrunk_at is None


def test_the_memory_of_needs_stays_small_under_regret():
    """Half an hour of any load holds no more entries than there are different counts."""
    plant = descended()
    plant.history = replace(plant.history, regrets=3)
    for seconds in range(60):
        plant.serve(20 + (seconds * 37) % 100, 1)

    assert len(plant.history.needed) <= 64
