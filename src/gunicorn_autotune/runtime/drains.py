"""The end of a drain. Gunicorn repeats SIGTERM for ever to a worker that goes on beating its heart; we do not."""

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
    """SIGKILL to each worker that was asked to leave and is still there after graceful_timeout and a margin.

    A worker of one request at a time finishes that request, and Gunicorn gives it `timeout` for it: so do we.
    """
    if tune.mode is not Mode.ACTIVE:
        return
    leaving = [one for one in actuator.followed(server, tune) if one.draining]
    limit = _limit_seconds(server, tune) if leaving else 0.0
    for tracked in [one for one in leaving if now - one.draining_at > limit]:
        # Again after the same time, should even that not reach it (uninterruptible sleep).
        tracked.draining_at = now
        tune.tally.drain_kills += 1
        reason = tracked.exit_reason.value if tracked.exit_reason else "unknown"
        pid = tracked.worker.pid
        server.log.error(line("worker did not leave in time, killed", pid=pid, reason=reason, seconds=round(limit, 1)))
        server.kill_worker(pid, signal.SIGKILL)


def _limit_seconds(server: Any, tune: Autotune) -> float:
    in_a_request = float(server.cfg.timeout) if tune.threads == 1 else 0.0
    return max(float(server.cfg.graceful_timeout), in_a_request) + MARGIN_SECONDS
