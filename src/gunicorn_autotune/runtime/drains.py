"""The end of a drain. Gunicorn repeats SIGTERM for ever to a worker that goes on beating its heart; we do not.

A worker whose heart has stopped is Gunicorn's to abort after `timeout`, draining or not. What is left to us is a worker
that could have gone by Gunicorn's own rules and has nothing to do, but stays: its app took SIGTERM over, for instance.
"""

from __future__ import annotations

import signal
from typing import Any

from gunicorn_autotune.model.status import Mode
from gunicorn_autotune.runtime import actuator
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune

MARGIN_SECONDS = 5.0
"""A worker notices the end of graceful_timeout by itself up to a second late, later on a busy host."""


def end_overdue(server: Any, tune: Autotune, now: float) -> None:
    """SIGKILL to each worker that was asked to leave, should have left, and is in no request that we know of."""
    if tune.mode is not Mode.ACTIVE:
        return
    for tracked in [one for one in actuator.followed(server, tune) if one.draining]:
        limit = limit_seconds(server.cfg, tracked.worker.cfg)
        if limit is None or now - tracked.draining_at <= limit or actuator.running(tracked):
            continue
        # Again after the same time, should even that not reach it (uninterruptible sleep).
        tracked.draining_at = now
        tune.tally.drain_kills += 1
        reason = tracked.exit_reason.value if tracked.exit_reason else "unknown"
        pid = tracked.worker.pid
        server.log.error(line("worker did not leave in time, killed", pid=pid, reason=reason, seconds=round(limit, 1)))
        server.kill_worker(pid, signal.SIGKILL)


def limit_seconds(arbiters: Any, workers: Any) -> float | None:
    """How long a drain may take by Gunicorn's own rules; None, which is what `timeout = 0` means: as long as it likes.

    gthread beats its heart for `graceful_timeout` and then waits for its threads, for which the arbiter leaves it
    `timeout` (of its configuration now; the worker keeps that of its birth). The others take less.
    """
    timeouts = float(arbiters.timeout), float(workers.timeout)
    return None if 0 in timeouts else float(workers.graceful_timeout) + max(timeouts) + MARGIN_SECONDS
