"""Workloads are the same for ever, and the seeds of tuning and judging never mix."""

import pytest
from benchmarks.simulation.drawn import PEAK_CPU_SHARE, PEAK_RATE
from benchmarks.simulation.run import Figures, figures, from_plain, plain, play, supply, sweep
from benchmarks.simulation.workload import Workload
from benchmarks.simulation.workloads import (
    FRESH_EACH,
    FRESH_SEEDS,
    NAMED,
    NAMED_SEEDS,
    TUNING_SEEDS,
    named,
    workload_set,
)

from gunicorn_autotune.testing import Application, Machine, Outcome, Second, steps

SMALL = Workload("small", Application(wait_seconds=0.1), steps((20, 20)), Machine(), seed=3)


def test_a_set_is_the_same_every_time():
    """Seed and count say all."""
    assert workload_set(1, 3) == workload_set(1, 3)


def test_a_longer_set_begins_with_the_shorter():
    """Workload 2 of seed 1 is the same whatever the count."""
    assert workload_set(1, 2) == workload_set(1, 4)[:2]


def test_seeds_of_tuning_and_judging_are_apart():
    """No seed is in two sets, and the fresh set is large enough."""
    assert len(TUNING_SEEDS + FRESH_SEEDS + NAMED_SEEDS) == len({*TUNING_SEEDS, *FRESH_SEEDS, *NAMED_SEEDS})
    assert len(FRESH_SEEDS) * FRESH_EACH >= 60


def test_drawn_workloads_keep_within_what_was_promised():
    """600 s, 1 to 4 cores, at most 1.1 K cores of work and 250 requests a second."""
    for one in (one for seed in TUNING_SEEDS for one in workload_set(seed, 20)):
        peak = max(one.load.rates)
        assert (600, True) == (one.load.seconds, one.machine.cores in (1.0, 2.0, 3.0, 4.0))
        assert peak * one.application.cpu_seconds <= PEAK_CPU_SHARE * one.machine.cores + 1e-9
        assert peak <= PEAK_RATE + 1e-9


def test_about_a_quarter_has_a_database_that_limits():
    """20 % to 30 % of a thousand."""
    drawn = [one.application for seed in TUNING_SEEDS for one in workload_set(seed, 200)]
    limited = sum(one.pool is not None or one.contention > 0.0 for one in drawn)

    assert 0.2 < limited / len(drawn) < 0.3


@pytest.mark.parametrize("name", list(NAMED))
def test_a_named_scenario_differs_only_by_its_arrivals(name):
    """The application is the same for every seed."""
    one, other = named(name, 1), named(name, 2)

    assert (one.name, one.application, one.changes) == (other.name, other.application, other.changes)
    assert one.seed != other.seed


def test_the_static_sweep_ends_where_nobody_waits():
    """More workers cannot do better, so they are not run."""
    found = sweep(SMALL, [2] * 20)

    assert (0.0, 0.0) == (found[-1].late, found[-1].slow)
    assert found[-1].start < 64


def test_the_static_oracle_is_the_smallest_of_the_best():
    """Least late share; ties go to fewer workers."""
    best = play(SMALL, ["static-64", "best-static"]).rows["best-static"]

    assert (0.0, True) == (best.late, best.start < 64)


def test_a_run_survives_json():
    """Five digits are kept, and the order of the controllers."""
    played = play(SMALL, ["static-2k1", "apache"])
    again = from_plain(plain(played))

    assert list(played.rows) == list(again.rows)
    assert plain(played) == plain(again)


def test_actions_are_told_per_ten_minutes():
    """Two changes in five minutes are four in ten."""
    outcome = Outcome(seconds=300.0, actions=[(1.0, 2, 3), (200.0, 3, 2)])

    found = figures(outcome, [2] * 300, 2)

    assert isinstance(found, Figures)
    assert 4.0 == found.actions


def test_supply_is_measured_against_each_seconds_demand():
    """Half missing in one second, a quarter too many in the other."""
    history = [Second(at, 0, 0, 0, 0, ready, 0, 0, 0) for at, ready in ((1.0, 2), (2.0, 5))]

    assert (0.25, 0.125) == supply(Outcome(seconds=2.0, history=history), [4, 4])
