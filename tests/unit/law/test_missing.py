"""A reading that is missing never leads to an action."""

from dataclasses import replace

import pytest
from tests.unit.law.fluid import Run, Server

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.model.decisions import Action, CapName, Reason
from gunicorn_autotune.model.readings import UNLIMITED, MemoryReading, Missing
from gunicorn_autotune.testing import MIB, a_host, a_policy, a_snapshot, a_worker, some_workers

POLICY = a_policy(max_workers=64)
GONE = Missing("taken away by the test")
HOST = ("cores", "memory_limit_bytes", "memory_used_bytes", "pids_limit", "pids_used")
TOTALS = ("busy_seconds", "cpu_seconds", "run_delay_seconds", "backlog", "backlog_limit")


@pytest.mark.parametrize("reading", HOST + TOTALS)
@pytest.mark.parametrize("ticks", [1, 20])
def test_a_reading_that_goes_missing_in_calm_changes_nothing(reading, ticks):
    """A calm server at its count holds, with the reading gone for one tick or twenty."""
    run = Run(Server(target=6), POLICY).serve(20, 40, tick_seconds=1.0)
    before = run.server.target
    gone = {"host": a_host(**{reading: GONE})} if reading in HOST else {reading: GONE}
    run.server.sees = gone
    run.serve(20, ticks, tick_seconds=1.0)

    assert ({Action.HOLD}, before) == ({d.action for d in run.since(40.1)}, run.server.target)


def test_neither_busy_time_nor_backlog_holds_always():
    """Nothing is known of the load: hold, whatever else there is."""
    sees = {"busy_seconds": GONE, "backlog": GONE}
    run = Run(Server(sees=sees), POLICY).serve(150, 10)

    assert {(Action.HOLD, Reason.MISSING)} == {(d.action, d.reason) for _, d in run.decisions}


def test_readings_that_come_back_do_not_shrink_at_once():
    """The count held through the gap counts as needed."""
    policy = a_policy(max_workers=64, scale_down_window_seconds=30, calm_seconds=1)
    run = Run(Server(target=20, sees={"busy_seconds": GONE, "backlog": GONE}), policy).serve(1, 60, tick_seconds=1.0)
    run.server.sees = {}
    run.serve(1, 20, tick_seconds=1.0)

    assert run.server.target == 20


def test_an_unknown_worker_class_grows_on_a_standing_backlog():
    """Busy time is missing, the kernel's queue is not: x1.5 + 1 a second."""
    run = Run(Server(sees={"busy_seconds": GONE}), POLICY).serve(10, 20, tick_seconds=1.0).serve(150, 8)

    assert run.server.target >= 16


def test_an_unknown_worker_class_ignores_a_backlog_seen_once():
    """One snapshot with a queue is a burst."""
    decision, _ = decide(POLICY, start(a_snapshot()), a_snapshot(at=0.25, backlog=50, busy_seconds=GONE))

    assert Action.HOLD is decision.action


def test_an_unknown_worker_class_keeps_what_its_cpu_needs():
    """2.8 cores in use need four processes."""
    host = a_host(8.0)
    first = a_snapshot(at=0.0, busy_seconds=GONE, host=host)
    second = a_snapshot(at=1.0, busy_seconds=GONE, cpu_seconds=2.79, host=host)

    decision, _ = decide(POLICY, start(first), second)

    assert (decision.reason, decision.target) == (Reason.DEMAND, 4)


def test_an_unknown_worker_class_in_calm_is_neither_steady_nor_free():
    """No queue in the kernel says nothing of the requests inside: reason, bottleneck and rate stay unknown."""
    last = Run(Server(sees={"busy_seconds": GONE}), POLICY).serve(10, 5, tick_seconds=1.0).decisions[-1][1]

    assert (last.action, last.reason) == (Action.HOLD, Reason.MISSING)
    assert isinstance(last.bottleneck, Missing)
    assert "arrivals_per_second" not in last.facts


def test_an_unknown_worker_class_shrinks_by_the_window():
    """Quiet for the window and the calm: down to the minimum."""
    policy = a_policy(max_workers=64, scale_down_window_seconds=20, calm_seconds=10)
    run = Run(Server(target=8, sees={"busy_seconds": GONE}), policy).serve(1, 120, tick_seconds=1.0)

    assert run.server.target == 2


@pytest.mark.parametrize("limit", [GONE, UNLIMITED])
def test_no_memory_limit_no_memory_cap(limit):
    """Unlimited or unreadable, max_workers still bounds."""
    after = a_snapshot(at=1.0, host=a_host(memory_limit_bytes=limit))

    decision, _ = decide(POLICY, start(a_snapshot()), after)

    assert CapName.MEMORY not in decision.caps


def test_a_policy_limit_stands_in_for_a_missing_one():
    """memory_limit_bytes of the operator needs no cgroup."""
    policy = a_policy(max_workers=64, memory_limit_bytes=1024 * MIB)
    after = a_snapshot(at=1.0, host=a_host(memory_limit_bytes=GONE, memory_own_bytes=100 * MIB))

    decision, _ = decide(policy, start(a_snapshot()), after)

    assert CapName.MEMORY in decision.caps


def test_rss_stands_in_where_no_worker_was_read():
    """40 MiB of RSS with 15 % margin, 460 MiB of budget: ten more."""
    workers = [replace(worker, memory=GONE) for worker in some_workers(2)]
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=430 * MIB)

    decision, _ = decide(POLICY, start(a_snapshot()), a_snapshot(at=1.0, workers=workers, host=host))

    assert decision.caps[CapName.MEMORY] == 12


def test_growth_still_due_to_young_workers_is_kept_free():
    """A worker up for a second with 20 of 100 MiB will take the rest."""
    memory = MemoryReading(pss_bytes=100 * MIB, uss_bytes=100 * MIB)
    small = MemoryReading(pss_bytes=20 * MIB, uss_bytes=20 * MIB)
    workers = [a_worker(0, memory=memory), a_worker(1, memory=small, spawned_at=0.0)]
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=570 * MIB)

    decision, _ = decide(POLICY, start(a_snapshot()), a_snapshot(at=1.0, workers=workers, host=host))

    assert decision.caps[CapName.MEMORY] == 2 + (330 - 95) // 115


def test_unreadable_cores_leave_no_cpu_cap():
    """K unknown: nothing to cap with, boots go one core at a time."""
    run = Run(Server(host=a_host(GONE)), POLICY).serve(10, 20, tick_seconds=1.0).serve(150, 1)

    assert all(CapName.CPU not in d.caps for _, d in run.decisions)
