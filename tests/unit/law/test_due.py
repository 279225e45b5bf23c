"""Who is due to be recycled: most urgent cause first, each limit drawn, none refused, none too soon, none too often."""

from dataclasses import replace

import pytest

from gunicorn_autotune.law.due import due, recycles_allowed, refused_limits
from gunicorn_autotune.law.look import look, start
from gunicorn_autotune.model.decisions import Cause
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.testing import MIB, a_policy, a_snapshot, a_worker

AT = 10_000.0
SEEN = History(fresh_bytes=50 * MIB, fresh_rss_bytes=80 * MIB)
SIZES = a_policy(recycle_uss_bytes=100 * MIB)
RSS = a_policy(recycle_rss_bytes=200 * MIB)
AGE = a_policy(recycle_age_seconds=1000)
OLD = {"spawned_at": AT - 500.0}


def one(slot=0, *, draw=0.0, limit=None, asked=False, outdated=False, **fields):
    """A worker, 500 s old unless said."""
    worker = a_worker(slot, **{**OLD, **fields})
    return replace(worker, draw=draw, requests_limit=limit, asked=asked, outdated=outdated)


def found(*workers, policy=SIZES, history=SEEN, **fields):
    """(cause, ages) of who is due, None for nobody."""
    snapshot = a_snapshot(AT, workers=workers, busy_seconds=0.0, **fields)
    before = replace(start(replace(snapshot, at=AT - 0.25)), oom=history.oom)
    view, _ = look(policy, before, snapshot)
    answer = due(policy, history, view)
    return answer and (answer[0], [worker.age for worker in answer[1]])


LARGE, SPENT = {"uss_bytes": 101 * MIB}, {"limit": 1000, "served": 1000}


@pytest.mark.parametrize(
    ("policy", "below", "above", "cause"),
    [
        (SIZES, {"uss_bytes": 100 * MIB}, {"uss_bytes": 100 * MIB + 1}, Cause.SIZE),
        (RSS, {"rss_bytes": 200 * MIB}, {"rss_bytes": 200 * MIB + 1}, Cause.SIZE),
        (AGE, {"spawned_at": AT - 1000.0}, {"spawned_at": AT - 1000.1}, Cause.AGE),
        (SIZES, {"limit": 1000, "served": 999}, SPENT, Cause.REQUESTS),
        (SIZES, {}, {"asked": True}, Cause.OPERATOR),
        (SIZES, {}, {"outdated": True}, Cause.RELOAD),
    ],
)
def test_each_limit_is_a_cause_of_its_own(policy, below, above, cause):
    """Up to it nobody, beyond it the one that is."""
    answers = found(one(0, **below), policy=policy), found(one(0), one(1, **above), policy=policy)

    assert (None, (cause, [2])) == answers


@pytest.mark.parametrize(("draw", "mib", "answer"), [(0.0, 95, None), (1.0, 95, (Cause.SIZE, [1])), (1.0, 89, None)])
def test_a_limit_of_size_is_drawn_for_each_worker(draw, mib, answer):
    """100 MiB and 10 % jitter: between 90 and 100."""
    assert answer == found(one(draw=draw, uss_bytes=mib * MIB))


@pytest.mark.parametrize(
    ("draw", "seconds", "answer"), [(0.0, 950, None), (1.0, 950, (Cause.AGE, [1])), (1.0, 890, None)]
)
def test_a_limit_of_age_is_drawn_for_each_worker(draw, seconds, answer):
    """1000 s and 10 % jitter: between 900 and 1000."""
    assert answer == found(one(draw=draw, spawned_at=AT - seconds), policy=AGE)


def test_a_leak_is_a_cause():
    """As sizes.py found it."""
    assert (Cause.LEAK, [1]) == found(one(), history=replace(SEEN, leaking=(1, 7)))


def test_the_most_urgent_cause_comes_first():
    """A reload, an operator, size, leak, requests, age."""
    policy = a_policy(recycle_uss_bytes=100 * MIB, recycle_age_seconds=400)
    workers = [one(0), one(1, **SPENT), one(2), one(3, **LARGE), one(4, asked=True), one(5, outdated=True)]
    causes = []
    while workers:
        causes.append(found(*workers, policy=policy, history=replace(SEEN, leaking=(3,)))[0])
        workers.pop()

    assert [Cause.RELOAD, Cause.OPERATOR, Cause.SIZE, Cause.LEAK, Cause.REQUESTS, Cause.AGE] == causes


def test_the_idle_leave_first_and_the_largest_of_them():
    """A busy one last, however large."""
    workers = [one(0, uss_bytes=300 * MIB, in_flight=1), one(1, **LARGE), one(2, uss_bytes=200 * MIB)]

    assert (Cause.SIZE, [3, 2, 1]) == found(*workers)


@pytest.mark.parametrize("state", [WorkerState.BOOTING, WorkerState.DRAINING])
def test_who_is_not_ready_is_not_due(state):
    """It is not there yet, or leaves anyway."""
    assert found(one(**LARGE, asked=True, outdated=True, state=state)) is None


@pytest.mark.parametrize("cause", [LARGE, SPENT])
def test_nobody_is_recycled_before_the_least_lifetime(cause):
    """60 s after it became ready."""
    assert found(one(spawned_at=AT - 60.0, boot_seconds=1.0, **cause)) is None


def test_new_code_does_not_wait_for_the_queue():
    """It may bring what ends the overload; with room the replacement comes first."""
    workers = [one(0, in_flight=1, outdated=True), one(1, in_flight=1)]

    assert found(*workers, backlog=50) == (Cause.RELOAD, [1])


@pytest.mark.parametrize("cause", [LARGE, SPENT, {"asked": True}])
def test_nobody_is_recycled_while_requests_queue(cause):
    """Whatever the cause: they wait for calm."""
    workers = [one(0, in_flight=1, **cause), one(1, in_flight=1)]

    assert found(*workers, backlog=50) is None


@pytest.mark.parametrize(("cause", "waits"), [(LARGE, True), (SPENT, True), ({"asked": True}, False)])
def test_the_gap_holds_for_limits_not_for_an_operator(cause, waits):
    """5 s since the last one left."""
    answer = found(one(**cause), history=replace(SEEN, recycled_at=(AT - 4.9,)))

    assert waits == (answer is None)


def test_max_requests_long_passed_does_not_wait_for_the_queue():
    """At twice the limit Gunicorn would let it go without a replacement."""
    spent = [one(0, in_flight=1, served=151, limit=100), one(1, in_flight=1, served=149, limit=100)]
    cause, workers = found(*spent, backlog=50)

    assert (Cause.REQUESTS, [spent[0].age]) == (cause, workers)


@pytest.mark.parametrize(("ago", "allowed"), [(3599.0, 0), (3600.0, 1)])
def test_no_more_than_the_cap_in_any_hour(ago, allowed):
    """Three an hour, and three there were; a place is free when the oldest is an hour ago."""
    policy, snapshot = a_policy(recycles_per_hour=3), a_snapshot(AT, workers=[one()])
    view, _ = look(policy, start(replace(snapshot, at=AT - 0.25)), snapshot)
    ended = (AT - ago, AT - 1000.0, AT - 100.0)

    assert allowed == recycles_allowed(policy, History(recycled_at=ended), view)


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        (a_policy(recycle_uss_bytes=69 * MIB), [("recycle_uss_bytes", 69 * MIB, 50 * MIB)]),
        (a_policy(recycle_uss_bytes=70 * MIB), []),
        (a_policy(recycle_rss_bytes=111 * MIB), [("recycle_rss_bytes", 111 * MIB, 80 * MIB)]),
        (a_policy(), []),
    ],
)
def test_a_limit_close_to_a_fresh_worker_is_refused(policy, refused):
    """Below 1.25 times a fresh worker, jitter taken off: with its value and the size, for the log."""
    assert refused == [told[:3] for told in refused_limits(policy, SEEN)]


def test_a_refused_limit_recycles_nobody():
    """Its replacement would be over the limit as well."""
    assert found(one(uss_bytes=300 * MIB), policy=a_policy(recycle_uss_bytes=60 * MIB)) is None


def test_a_limit_is_not_applied_before_a_fresh_size_is_known():
    """It could be one that has to be refused."""
    assert found(one(**LARGE), history=History()) is None


def test_a_size_that_was_not_read_is_no_reason():
    """Missing is not large."""
    blind = replace(one(), memory=Missing("hidden"), rss_bytes=Missing("hidden"))

    assert found(blind, policy=a_policy(recycle_uss_bytes=100 * MIB, recycle_rss_bytes=200 * MIB)) is None
