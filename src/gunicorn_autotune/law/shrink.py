"""Fewer workers: slowly, and only to the most that was needed within the window."""

from __future__ import annotations

import math

from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy

_EVERY_SECONDS = 5.0
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
    return history.shrunk_at is None or at - history.shrunk_at >= _EVERY_SECONDS
