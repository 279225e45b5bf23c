"""Who is due to be recycled, and why: the most urgent cause first."""

from __future__ import annotations

from collections.abc import Callable

from gunicorn_autotune.law.memory import runs_out
from gunicorn_autotune.law.sizes import leaks, own_bytes
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import Cause
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import known
from gunicorn_autotune.model.snapshot import WorkerReading, WorkerState

Due = tuple[Cause, list[WorkerReading]]
_LEAST_ROOM = 1.25
"""A limit of size below this many times a fresh worker would be reached by the replacement too: a kill loop."""
_SECONDS_IN_HOUR = 3600.0


def due(policy: Policy, history: History, view: View) -> Due | None:
    """The most urgent cause and its workers, idle ones first, then the largest; None when nobody is due.

    All but memory wait until no request does. An operator and a reload do not wait for the pace.
    """
    fattest = runs_out(policy, view.snapshot, history.fresh_bytes, view.crew.boot_seconds)
    if fattest is not None:
        return Cause.MEMORY, [fattest]
    if view.pressed is not None:
        return None
    ready = [one for one in view.snapshot.workers if one.state in (WorkerState.IDLE, WorkerState.BUSY)]
    limits = _limits(policy, history, view) if _paced(policy, history, view) else ()
    for cause, test in (*_ORDERED, *limits):
        found = [worker for worker in ready if test(worker)]
        if found:
            found.sort(key=lambda worker: (worker.state is not WorkerState.IDLE, -own_bytes(worker), worker.age))
            return cause, found
    return None


_Test = tuple[Cause, Callable[[WorkerReading], bool]]
_ORDERED: tuple[_Test, ...] = (
    (Cause.RELOAD, lambda worker: worker.outdated),
    (Cause.OPERATOR, lambda worker: worker.asked),
)


def _limits(policy: Policy, history: History, view: View) -> list[_Test]:
    """The limits that are set, each drawn lower for each worker, so that workers born together part."""
    at, jitter, tests = view.mark.at, policy.recycle_jitter_share, list[_Test]()
    old_enough = at - policy.recycle_lifetime_seconds

    def lived(test: Callable[[WorkerReading], bool]) -> Callable[[WorkerReading], bool]:
        return lambda worker: worker.ready_at is not None and worker.ready_at <= old_enough and test(worker)

    refused = {setting for setting, *_ in refused_limits(policy, history)}
    uss, rss, age = policy.recycle_uss_bytes, policy.recycle_rss_bytes, policy.recycle_age_seconds
    if uss and "recycle_uss_bytes" not in refused and history.fresh_bytes:
        tests.append((Cause.SIZE, lived(lambda one: own_bytes(one) > uss * (1.0 - jitter * one.draw))))
    if rss and "recycle_rss_bytes" not in refused and history.fresh_rss_bytes:
        tests.append((Cause.SIZE, lived(lambda one: known(one.rss_bytes, 0) > rss * (1.0 - jitter * one.draw))))
    leaking = {one.age for one in history.grown if leaks(policy, one)}
    if leaking:
        tests.append((Cause.LEAK, lived(lambda one: one.age in leaking)))
    tests.append(
        (Cause.REQUESTS, lived(lambda one: one.requests_limit is not None and one.served >= one.requests_limit))
    )
    if age:
        tests.append((Cause.AGE, lived(lambda one: at - one.spawned_at > age * (1.0 - jitter * one.draw))))
    return tests


def refused_limits(policy: Policy, history: History) -> list[tuple[str, int, int, int]]:
    """(setting, its value, bytes of a fresh worker, least value) of each limit that would recycle without end."""
    found = []
    for setting, limit, fresh in (
        ("recycle_uss_bytes", policy.recycle_uss_bytes, history.fresh_bytes),
        ("recycle_rss_bytes", policy.recycle_rss_bytes, history.fresh_rss_bytes),
    ):
        least = int(_LEAST_ROOM * fresh / (1.0 - policy.recycle_jitter_share)) + 1
        if limit and fresh and limit < least:
            found.append((setting, limit, fresh, least))
    return found


def _paced(policy: Policy, history: History, view: View) -> bool:
    """The gap since the last recycle is over, a boot's time at least, and the hour has not had its fill."""
    at, ended = view.mark.at, history.recycled_at
    if ended and at - ended[-1] < max(policy.recycle_gap_seconds, min(view.crew.boot_seconds, _SECONDS_IN_HOUR)):
        return False
    most = policy.recycles_per_hour
    return len(ended) < most or ended[-most] <= at - _SECONDS_IN_HOUR
