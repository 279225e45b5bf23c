"""Why a worker ended: how it ended, who had asked it to, and what it noted itself on its way out.

| how it ended           | asked to leave      | asked by nobody that we know of                            |
|------------------------|---------------------|------------------------------------------------------------|
| exit code 0            | for what it was     | its own note: `reload`, `recycle_requests`, `terminated`;  |
|                        |                     | without one `exit`                                         |
| another exit code      | for what it was     | `error`                                                    |
| SIGTERM, SIGINT,       | for what it was     | `terminated`                                               |
| SIGQUIT                |                     |                                                            |
| SIGKILL not from here  | `oom_kill` if the cgroup counted one, else `signal`                              |
| another signal         | for what it was, if it was sent from here, else `signal`                         |
| nobody saw it          | for what it was     | its own note; without one `oom_kill` if the cgroup counted |
|                        |                     | one, else `unknown`                                        |

A worker that Gunicorn aborted for its silence ended by `timeout`, however it went down. Gunicorn tells its hooks the
worker, not its status; so that is looked at just before Gunicorn reaps (waitid(2) with WNOWAIT leaves it there).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Any

from gunicorn_autotune.model.readings import known
from gunicorn_autotune.model.status import ExitReason
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.scoreboard import layout
from gunicorn_autotune.sensors import cgroup

LEAVE = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})
"""Signals that ask a process to leave: sent by somebody, not the end of a process that failed."""
NOTED = {
    layout.LEFT_FOR_SOURCE: ExitReason.RELOAD,
    layout.LEFT_FOR_REQUESTS: ExitReason.RECYCLE_REQUESTS,
    layout.LEFT_AS_TOLD: ExitReason.TERMINATED,
}
"""What a worker noted before it left with exit code 0."""


def look_before_reap(server: Any) -> None:
    """Note how those of our workers ended that Gunicorn is about to reap.

    One that ends between this and Gunicorn's own wait keeps None, and its note must do.
    """
    if not hasattr(os, "waitid"):
        return
    with contextlib.suppress(ChildProcessError):
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return
    for pid, worker in list(server.WORKERS.items()):
        tracked: Tracked | None = getattr(worker, "autotune", None)
        # A child that another part of the app has waited for is no news here.
        with contextlib.suppress(ChildProcessError):
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if tracked is not None and ended is not None:
                tracked.returncode = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def exit_reason(tune: Autotune, tracked: Tracked) -> ExitReason:
    """By the table above."""
    noted = tracked.row[layout.EXIT] if tracked.row is not None else 0
    code = tracked.returncode
    if code is None and noted & layout.EXIT_CODE:
        code = (noted & layout.EXIT_CODE) - 1
    number = -code if code is not None and code < 0 else 0
    # Of workers that are killed together, one may end between our look and Gunicorn's wait.
    unseen = code is None and not tracked.draining
    if (unseen or (number == signal.SIGKILL and number not in tracked.sent)) and _oom_killed(tune):
        return ExitReason.OOM_KILL
    if tracked.worker.aborted:
        return ExitReason.TIMEOUT
    if number and number not in tracked.sent and number not in LEAVE:
        return ExitReason.SIGNAL
    return _asked(tune, tracked) or _unasked(tune, tracked, code, noted >> layout.EXIT_NOTE_SHIFT)


def _asked(tune: Autotune, tracked: Tracked) -> ExitReason | None:
    """Why it was asked to leave; None when nobody has. One that is only about to be asked may end before."""
    if tracked.draining and tracked.exit_reason is not None:
        return tracked.exit_reason
    return ExitReason.SHUTDOWN if tune.frozen == "shutdown" else None


def _unasked(tune: Autotune, tracked: Tracked, code: int | None, note: int) -> ExitReason:
    if code is None:
        return ExitReason.UNKNOWN
    if code != 0:
        return ExitReason.ERROR if code > 0 else ExitReason.TERMINATED
    if note in NOTED:
        return NOTED[note]
    if tune.records:
        return ExitReason.EXIT
    # A worker class of its own, as Uvicorn's: it keeps max_requests itself, and whether it was told to leave is unseen.
    limited = tracked.worker.max_requests < sys.maxsize
    return ExitReason.RECYCLE_REQUESTS if limited else ExitReason.UNKNOWN


def _oom_killed(tune: Autotune) -> bool:
    """Whether the cgroup counted an OOM kill that no earlier death explains."""
    if tune.cgroups is None or tune.oom_kills_settled is None:
        return False
    kills = known(cgroup.read_host(tune.cgroups).oom_kills, tune.oom_kills_settled)
    new = kills > tune.oom_kills_settled
    # One death explains one kill: a second worker may have been killed in the same moment.
    tune.oom_kills_settled += new
    return new
