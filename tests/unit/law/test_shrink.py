"""Down slowly, and only to the most that was needed within the window."""

import itertools

from tests.unit.law.fluid import Run, Server

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.law.shrink import most_needed, remember
from gunicorn_autotune.model.decisions import Action, Reason
from gunicorn_autotune.testing import MIB, a_host, a_policy, a_snapshot

SHORT = a_policy(max_workers=64, scale_down_window_seconds=30, calm_seconds=10)


def busy_then_idle(policy, seconds):
    """100 Erlang-seconds of peak, then almost nothing."""
    return Run(Server(target=12), policy).serve(80, 20, tick_seconds=1.0).serve(1, seconds, tick_seconds=1.0)


def test_a_fallen_load_keeps_its_workers_within_the_window():
    """29 s after the peak nothing has gone."""
    run = busy_then_idle(SHORT, 29)

    assert run.server.target >= 12


def test_a_fallen_load_waits_as_cooling():
    """The hold says that it would shrink, were the window over."""
    run = busy_then_idle(SHORT, 20)

    assert (run.last().action, run.last().reason) == (Action.HOLD, Reason.COOLING)


def test_a_fallen_load_ends_at_the_minimum():
    """Once window and calm are over the count comes down to min_workers."""
    run = busy_then_idle(SHORT, 120)

    assert run.server.target == 2


def test_shrinking_takes_a_quarter_of_the_excess_every_five_seconds():
    """No step takes more than a quarter, none comes within 5 s of the last."""
    run = busy_then_idle(SHORT, 120)
    shrinks = [(at, d.target) for at, d in run.decisions if d.action is Action.SHRINK]
    pauses = [later[0] - earlier[0] for earlier, later in itertools.pairwise(shrinks)]

    assert (min(pauses) >= 4.99, shrinks[0][1] >= 9) == (True, True)


def test_emergency_surplus_is_not_remembered():
    """Workers that only drained the queue leave after the calm, to within the dead band of 19."""
    policy = a_policy(max_workers=64, scale_down_window_seconds=300, calm_seconds=20)
    run = Run(Server(), policy).serve(10, 20, tick_seconds=1.0).serve(150, 5)
    peak = run.server.target
    run.serve(150, 90, tick_seconds=1.0)

    assert (peak, run.server.target) == (25, 21)


def test_an_empty_window_needs_nobody():
    """The floor is min_workers then."""
    assert most_needed(()) == 0


def test_a_restarted_controller_does_not_shrink_at_once():
    """The count found at the start counts as needed for a whole window."""
    run = Run(Server(target=20), SHORT).serve(1, 29, tick_seconds=1.0)

    assert run.server.target == 20


def test_a_snapshot_taken_twice_does_not_delay_shrinking():
    """The same instant decided again tells nothing about what is needed."""
    run = Run(Server(target=20), SHORT).serve(1, 29, tick_seconds=1.0)
    _, run.history = decide(SHORT, run.history, run.server.snapshot())
    run.serve(1, 8, tick_seconds=1.0)

    assert run.server.target < 20


def test_a_gap_in_time_counts_as_a_restart():
    """After a suspend of ten minutes the window starts anew."""
    run = Run(Server(target=20), SHORT).serve(1, 20, tick_seconds=1.0)
    run.server.at += 600
    run.serve(1, 20, tick_seconds=1.0)

    assert run.server.target == 20


def test_above_the_maximum_shrinks_at_once():
    """A lowered max_workers needs no window."""
    decision, _ = decide(a_policy(max_workers=4), start(a_snapshot(workers=9)), a_snapshot(at=1.0, workers=9))

    assert (decision.action, decision.reason, decision.target) == (Action.SHRINK, Reason.ABOVE_MAX, 4)


def test_memory_over_the_reserve_takes_one_worker():
    """950 of 1000 MiB in use with a reserve of 10 %: one fewer, not five."""
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=950 * MIB)

    decision, _ = decide(SHORT, start(a_snapshot(workers=9)), a_snapshot(at=1.0, workers=9, host=host))

    assert (decision.action, decision.reason, decision.target) == (Action.SHRINK, Reason.MEMORY, 8)


def test_memory_shrinks_one_worker_every_five_seconds():
    """The memory of the one that left needs time to come back."""
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=950 * MIB)
    run = Run(Server(target=9, host=host), SHORT).serve(1, 12, tick_seconds=0.5)

    assert run.server.target == 6


def test_memory_never_shrinks_below_the_minimum():
    """At min_workers the law only says what is wrong."""
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=950 * MIB)

    decision, _ = decide(SHORT, start(a_snapshot()), a_snapshot(at=1.0, host=host))

    assert (decision.action, decision.reason) == (Action.HOLD, Reason.AT_MEMORY_CAP)


def test_workers_the_cores_cannot_feed_leave_as_cpu():
    """Ten workers share two cores and look busy; five do the same work."""
    run = Run(Server(wait_seconds=0.0, work_seconds=0.02, target=10), SHORT)
    busy = 0.0
    history = start(a_snapshot(workers=10))
    seen = set()
    for second in range(1, 60):
        busy += 8.0
        snapshot = a_snapshot(
            at=float(second), workers=10, busy_seconds=busy, started=100 * second, finished=100 * second,
            service_seconds=busy, cpu_seconds=1.9 * second, run_delay_seconds=6.1 * second,
        )  # fmt: skip
        decision, history = decide(run.policy, history, snapshot)
        seen.add((decision.action, decision.reason))

    assert (Action.SHRINK, Reason.CPU) in seen


def test_the_window_keeps_its_maximum_until_it_ages_out():
    """The largest of the last 10 s, not of all time and not the last."""
    needed = ()
    for at, workers in [(0, 3), (5, 9), (8, 4), (14, 2)]:
        needed = remember(needed, float(at), workers, window_seconds=10.0)

    assert (most_needed(needed), most_needed(remember(needed, 16.0, 2, 10.0))) == (9, 4)


def test_the_window_stays_small():
    """Ten minutes of any load hold no more entries than there are different counts."""
    needed = ()
    for tick in range(2400):
        needed = remember(needed, tick * 0.25, (tick * 7919) % 40, 600.0)

    assert len(needed) <= 40
