"""Pressure: requests wait, or the next one would."""

from __future__ import annotations

from gunicorn_autotune.law.crew import Crew
from gunicorn_autotune.law.service import Service
from gunicorn_autotune.law.spans import Span
from gunicorn_autotune.model.decisions import Reason
from gunicorn_autotune.model.history import History, Mark
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.snapshot import QUEUE_TIME_BOUNDS_SECONDS

_ALL_BUSY_SHARE = 0.9
_HALF_BUSY_SHARE = 0.5
_LUCKY_SHARE = 0.2
_LUCKY_SLOTS = 16
_FEWEST_REQUESTS = 5
_STANDING_SECONDS = 0.2


def pressure(
    policy: Policy, history: History, crew: Crew, newest: Span, service: Service | None, queue_p95: float | None
) -> Reason | None:
    """BACKLOG when a queue stands, ALL_BUSY when every slot is taken or queue times miss the goal; else None."""
    busy_share = newest.busy / crew.slots if newest.busy is not None and crew.slots else 0.0
    if _stands(policy, history, crew, service):
        return Reason.BACKLOG
    late = queue_p95 is not None and queue_p95 > policy.queue_time_goal_seconds and busy_share >= _HALF_BUSY_SHARE
    # Every slot taken at the instant we look is chance at small counts; it must do where no backlog can be read.
    full = crew.full and crew.waiting is None
    # All busy at once and yet nobody waited: chance, which is what Erlang's spare slots are for.
    lucky = (
        queue_p95 is not None
        and queue_p95 < _LUCKY_SHARE * policy.queue_time_goal_seconds
        and crew.slots >= _LUCKY_SLOTS
        and not crew.waiting
    )
    if (busy_share >= _ALL_BUSY_SHARE and not lucky) or full or late:
        return Reason.BACKLOG if crew.waiting else Reason.ALL_BUSY
    return None


def _stands(policy: Policy, history: History, crew: Crew, service: Service | None) -> bool:
    """A queue that would take longer than the goal to serve, or that was there at the last snapshot too.

    A queue that empties at once is a burst, one whose minimum stays above 0 is standing (CoDel, RFC 8289).
    """
    if not crew.waiting:
        return False
    if history.backlog_from is not None or service is None or not crew.slots:
        return True
    return crew.waiting * service.seconds / crew.slots > policy.queue_time_goal_seconds


def backlog_from(history: History, mark: Mark) -> float | None:
    """Since when every snapshot has shown a backlog; None without one."""
    if not mark.waiting:
        return None
    return mark.at if history.backlog_from is None else history.backlog_from


def backlog_stands(history: History, mark: Mark) -> bool:
    """Two snapshots 0.2 s apart or more, and all between, show a backlog."""
    since = backlog_from(history, mark)
    return since is not None and mark.at - since >= _STANDING_SECONDS


def queue_p95(older: Mark, newer: Mark) -> float | None:
    """p95 of queue time between two marks, interpolated in its bucket; None below five requests."""
    counts = [max(0, b - a) for a, b in zip(older.queue_time_counts, newer.queue_time_counts, strict=False)]
    total = sum(counts)
    if total < _FEWEST_REQUESTS:
        return None
    rank, below, seen = 0.95 * total, 0.0, 0
    for bound, count in zip(QUEUE_TIME_BOUNDS_SECONDS, counts, strict=False):
        if count and seen + count >= rank:
            return below + (bound - below) * (rank - seen) / count
        below, seen = bound, seen + count
    return QUEUE_TIME_BOUNDS_SECONDS[-1]
