"""Fewer workers: slowly, and only to the most that was needed within the window."""

from __future__ import annotations

import math
from dataclasses import replace

from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy

_LONGEST_WINDOW_SECONDS = 1800.0
_REGRETTED_SECONDS = 1800.0
_MOST_REGRETS = 3
_NEW_DESCENT_SECONDS = 60.0
EVERY_SECONDS = 5.0
"""Between two steps down."""
_DEAD_BAND_SHARE = 0.10
_PORTION_SHARE = 0.25

Needed = tuple[tuple[float, int], ...]
"""(at, workers), workers falling."""


def remember(needed: Needed, at: float, workers: int, window_seconds: float) -> Needed:
    """The window's maxima with `workers` needed at `at`: a monotone queue, each entry below the one before.

    An entry that a later, larger one covers can never be the maximum again, so few entries hold any window.
    """
    end = len(needed)
    while end and needed[end - 1][1] <= workers:
        end -= 1
    start = 0
    while start < end and needed[start][0] < at - window_seconds:
        start += 1
    return (*needed[start:end], (at, workers))


def most_needed(needed: Needed) -> int:
    """The maximum of the window, 0 for an empty one."""
    return needed[0][1] if needed else 0


def excess(count: int, floor: int) -> int:
    """Workers above `floor`, 0 inside the dead band of max(1, 10 %) (HPA's tolerance)."""
    over = count - floor
    return over if over >= max(1.0, _DEAD_BAND_SHARE * count) else 0


def removable(policy: Policy, history: History, at: float, count: int, floor: int) -> int:
    """Workers to take away now: a quarter of the excess over the window's maximum, every 5 s, after the calm."""
    if at - history.calm_from < policy.calm_seconds or not rested(history, at):
        return 0
    over = excess(count, max(floor, most_needed(history.needed)))
    return math.ceil(_PORTION_SHARE * over)


def rested(history: History, at: float) -> bool:
    """Five seconds or more since the last shrink."""
    return history.shrunk_at is None or at - history.shrunk_at >= EVERY_SECONDS


def waited(policy: Policy, history: History, at: float) -> bool:
    """Whether a shrink has waited long enough for workers that hold long-lived connections."""
    since = at if history.held_from is None else history.held_from
    return at - since >= policy.recycle_hold_seconds


def window_seconds(policy: Policy, history: History) -> float:
    """How long a need is remembered: the setting, doubled by each regret to half an hour at most."""
    wanted = policy.scale_down_window_seconds
    return max(wanted, min(_LONGEST_WINDOW_SECONDS, wanted * 2.0**history.regrets))


def regretted(history: History, at: float, count: int) -> History:
    """`history` after growing under pressure from `count`: was that capacity here within the last half hour?

    uWSGI's busyness lengthens its hold in the same way when a worker comes back too soon (cheaper_busyness.c).
    """
    if history.shrunk_at is None or count >= history.shrunk_from:
        return history
    if at - history.shrunk_at > _REGRETTED_SECONDS:
        return replace(history, regrets=0, shrunk_from=0)
    return replace(history, regrets=min(_MOST_REGRETS, history.regrets + 1), shrunk_from=0)


def shrunk(history: History, at: float, count: int) -> History:
    """`history` after a slow shrink from `count`; steps less than a minute apart are one descent."""
    begins = history.shrunk_at is None or at - history.shrunk_at > _NEW_DESCENT_SECONDS
    return replace(history, shrunk_at=at, shrunk_from=count if begins else max(count, history.shrunk_from))
