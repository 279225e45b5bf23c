"""How many requests a second: the lowest of the bounds, and what is assumed."""

from dataclasses import replace

import pytest

from gunicorn_autotune.cli.plan_capacity import capacity_of
from gunicorn_autotune.cli.plan_page import capacity_text
from gunicorn_autotune.cli.plan_staffing import Bound, staffing_of
from gunicorn_autotune.law.staffing import staff
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.testing import NOT_READ, a_policy
from tests.unit.cli.records import COMPUTING, WAITING, observed_of


def capacity(*stretches, **world):
    """Of such a record."""
    observed = observed_of(*stretches, **world)
    return capacity_of(observed, staffing_of(observed))


def text(*stretches, **world):
    """In words."""
    observed = observed_of(*stretches, **world)
    return capacity_text(observed, capacity_of(observed, staffing_of(observed)))


def test_requests_that_compute_are_limited_by_the_cores():
    """20 ms on two cores: 100 a second is full, the goal is missed well before."""
    found = capacity(COMPUTING)

    assert (Bound.CPU, pytest.approx(100.0)) == (found.limited_by, found.full_requests_per_second)
    assert 0.3 < found.cores_share < 0.9


def test_at_that_rate_the_goal_is_just_met():
    """The cores as Erlang's servers: two are enough there, and not for 5 % more."""
    rate = capacity(COMPUTING).requests_per_second

    assert [2, 3] == [staff(rate * 0.02 * more, 0.02, 0.05, 0.02, 1.0) for more in (0.999, 1.05)]


def test_half_a_core_does_half_as_much_at_most():
    """A quota below one core is a slower core."""
    assert capacity(replace(COMPUTING, rate=20), cores=0.5).full_requests_per_second == pytest.approx(25.0)


def test_memory_limits_what_waits():
    """Eight workers of 100 ms serve no more than 80 a second, whatever the cores."""
    found = capacity(replace(WAITING, rate=20), limit_mib=640)

    assert (Bound.MEMORY, 80.0) == (found.limited_by, pytest.approx(found.full_requests_per_second))


def test_max_workers_limits_what_waits():
    """As memory does."""
    assert capacity(WAITING, policy=a_policy(max_workers=6)).limited_by is Bound.MAX_WORKERS


def test_a_database_that_slows_down_limits_everything():
    """What was finished at best is what there is."""
    found = capacity(WAITING, replace(WAITING, rate=61, service_seconds=0.4))

    assert (Bound.DOWNSTREAM, pytest.approx(61.0, abs=0.5)) == (found.limited_by, found.requests_per_second)


@pytest.mark.parametrize(("rate", "expected"), [(150, False), (20, True)])
def test_far_beyond_what_was_seen_is_called_an_extrapolation(rate, expected):
    """More than three times the peak."""
    assert ("an extrapolation" in text(replace(WAITING, rate=rate))) is expected


def test_assumptions_stand_in_the_text():
    """The same mix, the same CPU, the same database."""
    assert "Assumed: the same mix of requests, 4 ms of CPU a request, whatever they wait for as fast as now" in text(
        WAITING
    )


def test_without_cores_or_slots_nothing_is_told():
    """An event loop whose cores are unknown: Missing with the reason, no number."""
    found = capacity(COMPUTING, threads=1000, cores=NOT_READ, server={"worker_class": "gevent"})

    assert isinstance(found, Missing)
