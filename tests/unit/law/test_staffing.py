"""Erlang-C against tables, and the staffing rule built on it."""

import math

import pytest

from gunicorn_autotune.law.staffing import erlang_c, staff, workers_for

QUIET = {"service_seconds": 0.1, "goal_seconds": 0.05, "miss_share": 0.02}


@pytest.mark.parametrize(
    ("slots", "load", "share"),
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (3, 2.0, 4 / 9), (5, 4.0, 0.5541), (10, 8.0, 0.4092), (20, 16.0, 0.2561)],
)
def test_erlang_c_agrees_with_the_tables(slots, load, share):
    """C(n, a) is the known share of arrivals that wait."""
    assert share == pytest.approx(erlang_c(slots, load), abs=5e-4)


def test_everybody_waits_when_the_load_fills_every_slot():
    """From load = slots on the queue grows without end, so C is 1."""
    assert erlang_c(4, 4.0) == 1.0


def test_nobody_waits_without_load():
    """No load, no waiting, however few slots."""
    assert erlang_c(1, 0.0) == 0.0


def test_no_load_needs_no_slot():
    """The floor is the policy's business, not the formula's."""
    assert (staff(0.0, **QUIET), staff(1e-9, **QUIET)) == (0, 0)


@pytest.mark.parametrize("load", [0.1, 1.0, 7.5, 20.0, 99.0])
def test_staffing_is_the_least_count_that_keeps_the_goal(load):
    """One slot fewer would let more than 2 % wait longer than 50 ms."""

    def late(slots):
        return erlang_c(slots, load) * math.exp(-(slots - load) * 0.05 / 0.1)

    slots = staff(load, **QUIET)

    assert (late(slots) <= 0.02, slots - 1 <= load or late(slots - 1) > 0.02) == (True, True)


@pytest.mark.parametrize("load", [100.001, 250.0, 999.5])
def test_the_square_root_law_is_within_one_slot_of_the_recursion(load):
    """Above 100 Erlangs the approximation of Halfin and Whitt takes over without a jump."""
    patience = 1e-6
    exact = next(n for n in range(math.ceil(load), 3000) if n > load and erlang_c(n, load) <= 0.02)

    assert exact == pytest.approx(staff(load, 0.1, patience, 0.02), abs=1)


def test_uneven_requests_need_more_slots():
    """A few requests 100 times longer than the rest stretch every wait."""
    assert staff(10.0, **QUIET, variability=10.0) > staff(10.0, **QUIET, variability=1.0)


def test_short_requests_need_few_spare_slots():
    """5 ms requests leave a slot again before 50 ms are over."""
    assert staff(10.0, service_seconds=0.005, goal_seconds=0.05, miss_share=0.02) == 11


def test_a_slot_of_a_sync_worker_is_a_worker():
    """With one thread, slots and workers are the same number."""
    assert workers_for(7, threads=1) == 7


def test_threads_are_pooled_at_85_percent():
    """An idle thread in another worker cannot take over, so 34 slots of 4 threads are 10 workers."""
    assert workers_for(34, threads=4) == 10


def test_the_gil_asks_for_processes_whatever_the_slots():
    """2.1 cores of Python need three processes at 0.7 cores each."""
    assert workers_for(4, threads=1000, cpu_cores=2.1) == 3
