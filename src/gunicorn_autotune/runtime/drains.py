"""The end of a drain. Gunicorn repeats SIGTERM for ever to a worker that goes on beating its heart; we do not.

A worker whose heart has stopped is Gunicorn's to abort after `timeout`, draining or not. What is left to us is a worker
that could have gone by Gunicorn's own rules and has nothing to do, but stays: its app took SIGTERM over, for instance.

A worker that leaves because we wanted it, not an operator or a reload, may hold long-lived connections for longer than
graceful_timeout: plain Gunicorn would not have asked it to leave at all.
"""

from __future__ import annotations

import math
import signal
import time
from typing import Any

from gunicorn_autotune.model.status import Mode
from gunicorn_autotune.runtime import actuator, compat
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.scoreboard import board, layout

MARGIN_SECONDS = 5.0
"""A worker notices the end of graceful_timeout by itself up to a second late, later on a busy host."""


def let_hold(server: Any, tune: Autotune, tracked: Tracked) -> None:
    """Before a worker is told to leave: for how long its connections may hold it. A single request needs no more.

    Its own Gunicorn reads the word in place of graceful_timeout (runtime/holding.py).
    """
    if tracked.row is None or not tune.records:
        return
    if tune.threads > 1:
        tracked.hold_seconds = 0.0 if tune.operators_count else _left_seconds(tune, tracked)
        tracked.row[layout.GRACE_SECONDS] = math.ceil(tracked.hold_seconds)
    words, now_ns = tracked.row.tolist(), time.monotonic_ns()
    held = board.held(words, board.activity(words, now_ns), now_ns)
    if held:
        waits = max(tracked.hold_seconds, float(server.cfg.graceful_timeout))
        pid = tracked.worker.pid
        server.log.info(line("worker leaves", pid=pid, held_connections=held, waits_seconds=waits))


def _left_seconds(tune: Autotune, tracked: Tracked) -> float:
    """What is left of its time to hold: a shrink that was put off for what this worker holds has used the rest."""
    put_off_at: float | None = tune.history.held_from if tune.history is not None else None
    if put_off_at is None or tracked.held_from is None:
        return tune.hold_seconds
    return max(0.0, tune.hold_seconds - (time.monotonic() - max(put_off_at, tracked.held_from)))


def end_overdue(server: Any, tune: Autotune, now: float) -> None:
    """SIGKILL to each worker that was asked to leave, should have left, and is in no request that we know of.

    One that may hold connections, and holds none any more or has had its time, is first told to quit.
    """
    if tune.mode is not Mode.ACTIVE:
        return
    for tracked in [one for one in actuator.followed(server, tune) if one.draining]:
        since = now - tracked.draining_at
        if tracked.hold_seconds and (_holds(tune, tracked, since) or _told_to_quit(server, tracked, since)):
            continue
        limit = limit_seconds(server.cfg, tracked.worker.cfg)
        if limit is None or since <= limit or actuator.under_way(tracked):
            continue
        # Again after the same time, should even that not reach it (uninterruptible sleep).
        tracked.draining_at = now
        tune.tally.drain_kills += 1
        reason = tracked.exit_reason.value if tracked.exit_reason else "unknown"
        pid = tracked.worker.pid
        server.log.error(line("worker did not leave in time, killed", pid=pid, reason=reason, seconds=round(limit, 1)))
        server.kill_worker(pid, signal.SIGKILL)


def _holds(tune: Autotune, tracked: Tracked, since: float) -> bool:
    """Something is under way in it, its time is not over, and memory is not short: so its heart must go on beating."""
    if since > tracked.hold_seconds + MARGIN_SECONDS or not actuator.under_way(tracked) or _memory_is_short(tune):
        return False
    if not compat.beats_while_leaving(type(tracked.worker)):
        tracked.worker.tmp.notify()
    return True


def _told_to_quit(server: Any, tracked: Tracked, since: float) -> bool:
    """Told just now, and not before it would have left without the time that we gave it. All else is Gunicorn's."""
    if tracked.told_to_quit or since <= float(tracked.worker.cfg.graceful_timeout) + MARGIN_SECONDS:
        return False
    tracked.told_to_quit = True
    server.log.info(line("worker may hold no longer", pid=tracked.worker.pid, seconds=round(since, 1)))
    server.kill_worker(tracked.worker.pid, signal.SIGQUIT)
    return True


def _memory_is_short(tune: Autotune) -> bool:
    """The last look found memory in use to reach into the reserve."""
    return tune.snapshot is not None and tune.history is not None and tune.history.short_at == tune.snapshot.at


def limit_seconds(arbiters: Any, workers: Any) -> float | None:
    """How long a drain may take by Gunicorn's own rules; None, which is what `timeout = 0` means: as long as it likes.

    gthread beats its heart for `graceful_timeout` and then waits for its threads, for which the arbiter leaves it
    `timeout` (of its configuration now; the worker keeps that of its birth). The others take less.
    """
    timeouts = float(arbiters.timeout), float(workers.timeout)
    return None if 0 in timeouts else float(workers.graceful_timeout) + max(timeouts) + MARGIN_SECONDS
