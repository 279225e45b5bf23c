"""Who is due to be recycled, and why: the most urgent cause first."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from gunicorn_autotune.law.memory import memory_cap, runs_out
from gunicorn_autotune.law.sizes import own_bytes
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import Cause
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import known
from gunicorn_autotune.model.snapshot import READY_STATES, Snapshot, WorkerReading, WorkerState

Due = tuple[Cause, list[WorkerReading]]
_LEAST_ROOM = 1.25
"""A limit of size below this many times a fresh worker would be reached by the replacement too: a kill loop."""
_SECONDS_IN_HOUR = 3600.0
_OVERDUE = 1.5
"""Times max_requests; Gunicorn itself lets the worker go between two and three times."""


def due(policy: Policy, history: History, view: View) -> Due | None:
    """The most urgent cause and its workers, idle ones first, then the largest; None when nobody may go now.

    Who holds long-lived connections comes last.

    While requests wait only memory that is short goes on, a reload (it may bring what ends the overload), and
    max_requests long passed: Gunicorn would let the worker go by itself, without a replacement. An operator and a
    reload do not wait for the pace.
    """
    fattest = runs_out(policy, view.snapshot, history.fresh_bytes, view.crew.boot_seconds)
    if fattest is not None and (view.pressed is None or _short(policy, history, view.snapshot)):
        return Cause.MEMORY, [fattest]
    for cause, found in _found(policy, history, view) if view.pressed is None else _overdue(policy, history, view):
        if found:
            found.sort(key=_least_harm)
            return cause, found
    return None


def _least_harm(worker: WorkerReading) -> tuple[bool, bool, int, int]:
    return worker.held > 0, worker.state is not WorkerState.IDLE, -own_bytes(worker), worker.age


def _found(policy: Policy, history: History, view: View) -> Iterator[Due]:
    """The causes in the order of their urgency, each with its workers; the limits only when the pace allows one."""
    booting, draining = WorkerState.BOOTING, WorkerState.DRAINING  # an Enum's attribute costs more than a local
    ready = [one for one in view.snapshot.workers if one.state is not booting and one.state is not draining]
    yield Cause.RELOAD, [one for one in ready if one.outdated]
    yield Cause.OPERATOR, [one for one in ready if one.asked]
    if not recycles_allowed(policy, history, view):
        return
    at, jitter = view.mark.at, policy.recycle_jitter_share
    old_enough = at - policy.recycle_lifetime_seconds
    lived = [one for one in ready if one.ready_at is not None and one.ready_at <= old_enough]
    yield Cause.SIZE, _too_large(policy, history, lived)
    if history.leaking:
        yield Cause.LEAK, [one for one in lived if one.age in history.leaking]
    yield Cause.REQUESTS, [one for one in lived if one.requests_limit is not None and one.served >= one.requests_limit]
    age = policy.recycle_age_seconds
    if age:
        yield Cause.AGE, [one for one in lived if at - one.spawned_at > age * (1.0 - jitter * one.draw)]


def _overdue(policy: Policy, history: History, view: View) -> Iterator[Due]:
    ready = [one for one in view.snapshot.workers if one.state in READY_STATES]
    yield Cause.RELOAD, [one for one in ready if one.outdated]
    if recycles_allowed(policy, history, view):
        yield (
            Cause.REQUESTS,
            [one for one in ready if one.requests_limit is not None and one.served >= _OVERDUE * one.requests_limit],
        )


def _short(policy: Policy, history: History, snapshot: Snapshot) -> bool:
    """Memory allows no worker more."""
    fits = memory_cap(policy, snapshot, history.peaks)
    return fits is not None and fits <= snapshot.target


def _too_large(policy: Policy, history: History, lived: list[WorkerReading]) -> list[WorkerReading]:
    """Above a limit of size, each worker's own drawn lower, so that workers born together part."""
    refused = {setting for setting, *_ in refused_limits(policy, history)}
    jitter, uss, rss = policy.recycle_jitter_share, policy.recycle_uss_bytes, policy.recycle_rss_bytes
    found = []
    if uss and history.fresh_bytes and "recycle_uss_bytes" not in refused:
        found = [one for one in lived if own_bytes(one) > uss * (1.0 - jitter * one.draw)]
    if rss and not found and history.fresh_rss_bytes and "recycle_rss_bytes" not in refused:
        found = [one for one in lived if known(one.rss_bytes, 0) > rss * (1.0 - jitter * one.draw)]
    return found


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


def recycles_allowed(policy: Policy, history: History, view: View) -> int:
    """How many may begin now: none before the gap since the last is over, then what is left of the hour."""
    at, ended = view.mark.at, history.recycled_at
    if ended and at - ended[-1] < policy.recycle_gap_seconds:
        return 0
    most, hour_ago = policy.recycles_per_hour, at - _SECONDS_IN_HOUR
    return max(0, most - len(ended) + bisect_right(ended, hour_ago))
