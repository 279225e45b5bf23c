"""A ceiling: set, held, tried again, lifted."""

from dataclasses import replace

import pytest
from tests.unit.law.plant import WIDE, Plant, pool_of, scaling

from gunicorn_autotune.model.decisions import Action, Bottleneck, Reason
from gunicorn_autotune.model.history import Ceiling, Recycling
from gunicorn_autotune.testing import a_policy


def at_ceiling(policy=WIDE, seconds=60):
    """A pool of ten, saturated; the ceiling has come down to what it can feed."""
    return Plant(pool_of(10), policy=policy).serve(20, 30).serve(200, seconds)


def held(plant, **fields):
    """`plant` with these fields of its ceiling changed."""
    plant.history = replace(plant.history, ceiling=replace(plant.history.ceiling, **fields))
    return plant


def over(plant):
    """`plant` with the hold of its ceiling over."""
    return held(plant, until=plant.at)


def test_a_ceiling_holds_growth_for_a_minute():
    """From the first rollback to the next growth."""
    plant = at_ceiling(seconds=120)
    first = plant.acts(Action.ROLLBACK)[0][0]
    again = next(at for at, _ in plant.acts(Action.GROW) if at > first)

    assert 60.0 == again - first


def test_a_held_ceiling_says_no_gain():
    """More are asked for, and why they are not added."""
    assert (Action.HOLD, Reason.NO_GAIN) == (at_ceiling().last().action, at_ceiling().last().reason)


def test_a_trial_after_the_hold_is_a_third_more_and_one():
    """As much as can be judged: 11 -> 16."""
    plant = at_ceiling()
    before = plant.history.ceiling.workers
    over(plant).serve(200, 1)

    assert int(before * 1.3) + 2 == plant.target


def test_a_second_failure_doubles_the_hold():
    """60 s, then 120 s."""
    plant = over(at_ceiling()).serve(200, 30)

    assert 120.0 == plant.history.ceiling.hold_seconds


@pytest.mark.parametrize("before", [500.0, 900.0])
def test_the_hold_ends_at_fifteen_minutes(before):
    """900 s at most."""
    plant = over(held(at_ceiling(), hold_seconds=before)).serve(200, 30)

    assert 900.0 == plant.history.ceiling.hold_seconds


def test_a_second_failure_goes_back_to_where_it_began():
    """Not lower: that count is known to be good."""
    plant = at_ceiling()
    before = plant.history.ceiling.workers
    over(plant).serve(200, 30)

    assert before == plant.target


def test_a_second_trial_that_pays_lifts_the_ceiling():
    """The pool has been made larger meanwhile."""
    plant = over(at_ceiling())
    plant.does = scaling()
    plant.serve(200, 30)

    assert plant.history.ceiling is None


def test_throughput_that_rises_at_the_ceiling_lifts_it():
    """The same workers do twice as much: what was slow is so no longer."""
    plant = at_ceiling()
    held(plant, until=plant.at + 300.0)
    plant.does = pool_of(10, each_seconds=0.05)
    plant.serve(400, 25)

    assert plant.acts(Action.GROW, since=90.0)


def test_throughput_that_stays_at_the_ceiling_keeps_it():
    """No trial before its time."""
    plant = at_ceiling()
    held(plant, until=plant.at + 300.0)
    plant.serve(200, 25)

    assert not plant.acts(Action.GROW, since=90.0)


def quiet(plant, rate, seconds):
    """`plant` with its queue gone, then `seconds` at `rate`."""
    plant.backlog = 0.0
    return plant.serve(rate, seconds)


def test_fifteen_seconds_of_calm_lift_a_ceiling():
    """With room to spare there is nothing to hold back."""
    assert quiet(at_ceiling(), 20, 16).history.ceiling is None


def test_ten_seconds_of_calm_do_not_lift_a_ceiling():
    """A pause between two bursts of the same run."""
    plant = at_ceiling()
    before = plant.history.ceiling

    assert before == quiet(plant, 20, 10).history.ceiling


def test_calm_without_room_to_spare_lifts_no_ceiling():
    """Eight of eleven workers busy: the next burst would be held by the same thing."""
    plant = held(at_ceiling(), until=1000.0)
    before = plant.history.ceiling

    assert before == quiet(plant, 82, 30).history.ceiling


def test_calm_without_a_reading_of_busy_time_lifts_no_ceiling():
    """Room to spare cannot be told."""
    plant = quiet(at_ceiling(), 20, 1)
    ceiling = plant.history.ceiling
    plant.history = replace(plant.history, marks=tuple(replace(one, busy_seconds=None) for one in plant.history.marks))
    plant.serve(20, 2)

    assert ceiling == plant.history.ceiling


def test_a_run_of_pressure_that_is_over_forgets_its_levels():
    """What the counts could do then is not compared with now."""
    assert () == quiet(at_ceiling(), 20, 5).history.levels


def test_a_ceiling_is_never_below_the_minimum():
    """min_workers wins over what was measured."""
    plant = at_ceiling(a_policy(min_workers=20, max_workers=64))

    assert 20 <= plant.target


def test_a_minimum_raised_above_the_ceiling_wins():
    """A reload brings a new policy; the ceiling has nothing to say below it."""
    plant = at_ceiling()
    plant.policy = a_policy(min_workers=30, max_workers=64)
    plant.serve(200, 5)

    assert 30 == plant.target


def test_a_maximum_lowered_below_the_ceiling_wins():
    """And names itself."""
    plant = at_ceiling()
    plant.policy = a_policy(max_workers=6)
    plant.serve(200, 1)

    assert (6, Reason.AT_MAX) == (plant.target, plant.last().reason)


def test_an_operators_count_above_the_ceiling_stays_for_the_hold():
    """TTIN is an order; the ceiling has its say when the hold is over."""
    plant = at_ceiling()
    plant.resize(30)
    plant.sees = {"held_until": plant.at + 5.0}
    plant.serve(200, 4)

    assert (30, Reason.OPERATOR) == (plant.target, plant.last().reason)


def test_a_replacement_may_stand_above_the_ceiling():
    """It takes the place of another, so it is no growth to be taken back while it boots."""
    plant = at_ceiling()
    plant.boot_seconds = 10.0
    plant.history = replace(plant.history, recycling=Recycling(ages=(1,), workers=plant.target, since=plant.at))
    before = plant.target
    plant.serve(200, 4)

    assert before + 1 == plant.target


def test_a_gap_in_time_forgets_the_ceiling():
    """What was measured more than a minute without a look ago."""
    plant = at_ceiling()
    plant.at += 100.0
    plant.serve(200, 0.25)

    assert plant.history.ceiling is None


def test_a_ceiling_without_throughput_divides_nothing():
    """Nothing has ever finished at it."""
    plant = at_ceiling()
    best = Ceiling(8, 8, 0.0, Bottleneck.WORKERS, plant.at + 60.0, 60.0, plant.at - 30.0, trimming=True)
    plant.history = replace(plant.history, ceiling=best)
    plant.does = lambda workers: 0.0
    plant.serve(200, 40)

    assert plant.policy.min_workers <= plant.target
