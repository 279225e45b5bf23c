"""Workers that are missing, and when they are started: at once, unless they fail again and again.

A worker that cannot boot, or a fork that fails, is rolled back while others serve (actuator.roll_back_boot). A worker
that boots and then dies before it has answered a single request is started again as Gunicorn would. But when one after
the other goes like that, the next waits: a site that crashes at its first step must not fork 25 times a second. Nor is
a worker that the kernel killed for memory followed at once by the next.
"""

from __future__ import annotations

import time
from typing import Any

from gunicorn_autotune.model.status import ExitReason, Mode
from gunicorn_autotune.runtime import actuator
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.scoreboard import board

SHORT_LIFE_SECONDS = 5.0
"""A worker that crashes later than this after its start has worked for a while: its next is started at once."""
SHORT_LIVES_FREE = 8
"""So many in a row are started again at once, as Gunicorn does: a whole set may be killed together."""
FORGET_SECONDS = 60.0
"""A short life that was so long ago says nothing about this one."""
FIRST_PAUSE_SECONDS = 1.0
"""Gunicorn's own loop turns once a second: a crashing worker takes about that long to come again without us."""
MOST_PAUSE_SECONDS = 10.0
"""A site that comes back by itself must not wait long for us: the first back-off of a failed boot is as long."""
CRASHES = frozenset({ExitReason.ERROR, ExitReason.SIGNAL, ExitReason.TERMINATED, ExitReason.EXIT, ExitReason.UNKNOWN})


def missing_now(server: Any, tune: Autotune) -> int | None:
    """How many workers to start now; None: Gunicorn is to do it in its own way, as where we only observe."""
    if tune.mode is Mode.OBSERVE:
        return None
    draining = sum(tracked.draining for tracked in actuator.followed(server, tune))
    staying, lives, now = len(server.WORKERS) - draining, tune.short_lives, time.monotonic()
    missing = max(0, int(server.num_workers) - staying)
    if now >= lives.no_start_before:
        return missing
    nobody_left = not staying and lives.oom_pauses and now - lives.oom_killed_at >= FIRST_PAUSE_SECONDS
    return min(1, missing) if nobody_left else 0


def contain_failed_fork(server: Any, tune: Autotune, error: OSError) -> bool:
    """A fork failed while others serve: go on with those. Gunicorn would end the server."""
    if tune.mode is Mode.ACTIVE:
        actuator.roll_back_boot(server, tune, f"fork failed: {error}")
    else:
        # Nobody would raise the count again: it stays, and the fork is tried again.
        tune.short_lives.no_start_before = time.monotonic() + MOST_PAUSE_SECONDS
        server.log.error(line("worker could not start", why=f"fork failed: {error}", pause_seconds=MOST_PAUSE_SECONDS))
    return True


def _wait_after_oom_kill(server: Any, tune: Autotune, now: float, lived_seconds: float) -> None:
    """A worker that is started at once would be the next to be killed, or would make a sibling the next.

    The pause gives the law time to lower the count to what fits. Where it may not (an operator's count, the minimum),
    the pauses grow while young workers are killed. If nobody is left, one is started after a second, as by Gunicorn.
    """
    lives = tune.short_lives
    if now - lives.oom_killed_at > FORGET_SECONDS or lived_seconds > SHORT_LIFE_SECONDS:
        lives.oom_pauses = 0
    lives.oom_killed_at = now
    if tune.mode is not Mode.ACTIVE or now < lives.no_start_before or not (server.WORKERS or lives.oom_pauses):
        lives.oom_pauses = max(lives.oom_pauses, 1)
        return
    pause = min(FIRST_PAUSE_SECONDS * 2**lives.oom_pauses, MOST_PAUSE_SECONDS)
    lives.oom_pauses, lives.no_start_before = min(lives.oom_pauses + 1, 10), now + pause
    told = "the kernel killed a worker (out of memory); waiting before the next start"
    server.log.error(line(told, pause_seconds=pause))


def note_exit(server: Any, tune: Autotune, tracked: Tracked, reason: ExitReason) -> None:
    """Count short lives in a row; once there are too many, the next start waits, twice as long each time."""
    now, lives = time.monotonic(), tune.short_lives
    if reason is ExitReason.OOM_KILL:
        _wait_after_oom_kill(server, tune, now, now - tracked.spawned_at)
        return
    served = board.finished(tracked.row.tolist()) - tracked.requests_before if tracked.row is not None else 0
    if reason not in CRASHES or served > 0 or now - tracked.spawned_at > SHORT_LIFE_SECONDS:
        lives.in_a_row = lives.pauses = 0
        return
    if now - lives.last_at > FORGET_SECONDS:
        lives.in_a_row = lives.pauses = 0
    lives.in_a_row, lives.last_at = lives.in_a_row + 1, now
    # Workers that were started together die together: one pause, not one for each.
    if lives.in_a_row <= SHORT_LIVES_FREE or tune.mode is Mode.OBSERVE or now < lives.no_start_before:
        return
    pause = min(FIRST_PAUSE_SECONDS * 2**lives.pauses, MOST_PAUSE_SECONDS)
    lives.pauses, lives.no_start_before = min(lives.pauses + 1, 10), now + pause
    server.log.error(
        line("workers die before their first request, the next one waits", in_a_row=lives.in_a_row,
             pause_seconds=pause)
    )  # fmt: skip
