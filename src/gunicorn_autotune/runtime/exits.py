"""Why a worker ended."""

from __future__ import annotations

import sys

from gunicorn_autotune.model.readings import known
from gunicorn_autotune.model.status import ExitReason
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.scoreboard import board, layout
from gunicorn_autotune.sensors import cgroup


def exit_reason(tune: Autotune, tracked: Tracked) -> ExitReason:
    """Why this worker ended. Its row holds 1 + exit code when it left by itself; a signal leaves 0."""
    words = tracked.row.tolist() if tracked.row is not None else None
    left = words[layout.EXIT] if words else 1
    if tracked.worker.aborted:
        return ExitReason.TIMEOUT
    if left == 0 and tracked.exit_reason is None:
        return ExitReason.OOM_KILL if _oom_killed(tune) else ExitReason.SIGNAL
    if left > 1 and tracked.exit_reason is None:
        return ExitReason.ERROR
    if tracked.exit_reason is not None:
        return tracked.exit_reason
    if not tune.records and tracked.worker.max_requests < sys.maxsize:
        return ExitReason.RECYCLE_REQUESTS
    requests = _requests_of(tracked)
    return ExitReason.RECYCLE_REQUESTS if requests >= tracked.worker.max_requests else ExitReason.SIGNAL


def _requests_of(tracked: Tracked) -> int:
    return board.finished(tracked.row.tolist()) - tracked.requests_before if tracked.row is not None else 0


def _oom_killed(tune: Autotune) -> bool:
    """Whether the cgroup counted an OOM kill that no earlier death explains."""
    if tune.cgroups is None or tune.oom_kills_settled is None:
        return False
    kills = known(cgroup.read_host(tune.cgroups).oom_kills, tune.oom_kills_settled)
    new = kills > tune.oom_kills_settled
    # One death explains one kill: a second worker may have been killed in the same moment.
    tune.oom_kills_settled += new
    return new
