"""Queue time as pressure, and what the law learns from calm."""

import pytest
from tests.unit.law.fluid import Run, Server

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.law.pressure import queue_p95
from gunicorn_autotune.law.service import service_of
from gunicorn_autotune.law.spans import mark_of
from gunicorn_autotune.model.decisions import Reason
from gunicorn_autotune.testing import a_policy, a_snapshot

POLICY = a_policy(max_workers=64)
EMPTY = (0,) * 16


def counted(**buckets):
    """Queue-time counts with `b5=20` meaning 20 in the sixth bucket."""
    return tuple(buckets.get(f"b{index}", 0) for index in range(16))


def p95(counts):
    """p95 of `counts` since the start."""
    older, newer = (mark_of(a_snapshot(queue_time_counts=one), None, 2) for one in (EMPTY, counts))
    return queue_p95(older, newer)


def test_p95_is_interpolated_in_its_bucket():
    """100 requests between 25 and 50 ms: the 95th lies at 48.75 ms."""
    assert p95(counted(b5=100)) == pytest.approx(0.04875)


def test_p95_beyond_the_last_bound_is_the_last_bound():
    """Nothing is known above 60 s."""
    assert p95(counted(b15=9)) == 60.0


def test_four_requests_have_no_p95():
    """Below five a percentile is an anecdote."""
    assert p95(counted(b9=4)) is None


def late(busy_seconds):
    """One second in which requests waited 0.25 to 0.5 s for two workers."""
    snapshot = a_snapshot(
        at=1.0, busy_seconds=busy_seconds, started=10, finished=110, service_seconds=11.0,
        queue_time_counts=counted(b8=10),
    )  # fmt: skip
    return decide(POLICY, start(a_snapshot(finished=100, service_seconds=10.0)), snapshot)[0]


def test_queue_times_over_the_goal_are_pressure_at_busy_workers():
    """70 % busy and late: the requests come in bursts."""
    assert Reason.ALL_BUSY is late(busy_seconds=1.4).reason


def test_queue_times_over_the_goal_are_no_pressure_at_idle_workers():
    """5 % busy and late is a clock that is off, or a slow upload in the proxy."""
    assert Reason.STEADY is late(busy_seconds=0.1).reason


def test_the_service_time_is_not_learned_under_pressure():
    """Overload of the CPU leaves the service time learned in calm alone."""
    run = Run(Server(wait_seconds=0.0, work_seconds=0.02), a_policy(max_workers=4)).serve(40, 30, tick_seconds=1.0)
    run.serve(200, 20)

    assert run.last().facts["service_seconds"] == pytest.approx(0.02, rel=0.15)


def test_the_service_time_leaves_out_the_wait_for_a_core():
    """Service seconds doubled by a neighbour: the busy time less the run-queue delay is what counts."""
    history = start(a_snapshot())
    for second in range(1, 20):
        snapshot = a_snapshot(
            at=float(second), workers=8, busy_seconds=2.0 * second, started=20 * second, finished=20 * second,
            service_seconds=2.0 * second, cpu_seconds=0.5 * second, run_delay_seconds=1.0 * second,
        )  # fmt: skip
        decision, history = decide(POLICY, history, snapshot)

    assert decision.facts["service_seconds"] == pytest.approx(0.05, rel=0.05)


def test_uneven_service_times_are_learned_as_uneven():
    """18 of 10 ms and two of 500 ms: mean 59 ms, mean square 0.0251 s2, so (1 + cv2) / 2 is 3.6."""
    history = start(a_snapshot())
    for second in range(1, 20):
        snapshot = a_snapshot(
            at=float(second), workers=8, busy_seconds=1.18 * second, started=20 * second, finished=20 * second,
            service_seconds=1.18 * second, service_seconds_squared=0.5018 * second,
        )  # fmt: skip
        _, history = decide(POLICY, history, snapshot)

    assert service_of(history.learned, snapshot.totals).variability == pytest.approx(3.6, rel=0.01)
