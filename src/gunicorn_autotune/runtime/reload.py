"""HUP. Gunicorn starts a second set of workers beside the first; where that would not fit, they are recycled instead.

The new configuration and code are in force at once. The workers that run the old are marked, and the law replaces them,
as many at a time as memory has room for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gunicorn_autotune.law.caps import files_spare
from gunicorn_autotune.law.memory import replacements_that_fit
from gunicorn_autotune.model.status import Mode
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune


def standing_target(server: Any, tune: Autotune) -> int:
    """The target without a replacement that stands beside the worker it replaces, or a worker that has left first."""
    under_way = tune.history.recycling if tune.history is not None and tune.mode is Mode.ACTIVE else None
    return int(under_way.workers if under_way is not None else server.num_workers)


def begin(server: Any, tune: Autotune) -> None:
    """Before Gunicorn's reload: what it must not lose, and nothing that is stale."""
    tune.target_before_reload = standing_target(server, tune)
    tune.address_before_reload = server.cfg.address
    if tune.mode is not Mode.ACTIVE:
        tune.snapshot = None


def count_wanted(server: Any, tune: Autotune, written_workers: int | None) -> int:
    """The tuned count, unless somebody has written another one for `workers` since the last load."""
    if written_workers is not None and written_workers != tune.written_workers:
        return written_workers
    # 0: WINCH had asked for none; Gunicorn's setup has just put the configured count there.
    return tune.target_before_reload or int(server.num_workers)


def prepare(server: Any, tune: Autotune, target: int) -> None:
    """In on_reload, after the configuration was read and before the spawn: how many workers Gunicorn starts now."""
    server.cfg.set("workers", target)
    server.num_workers = target
    if tune.history is not None:
        # The count is set anew: what was under way is over, and no rest after a failure holds the reload up.
        tune.history = replace(tune.history, recycling=None, no_recycle_before=0.0)
    room = _room(server, tune)
    # One alone is never sent first, so it would never be replaced.
    if room is None or room >= target or target == 1:
        return
    for tracked in list(tune.tracked.values()):
        tracked.outdated = True
    # Gunicorn spawns cfg.workers and then waits graceful_timeout for the old ones to leave, holding the loop.
    tune.after_reload = {"workers": target, "graceful_timeout": server.cfg.graceful_timeout}
    server.cfg.set("workers", 0)
    server.cfg.set("graceful_timeout", 0)
    fresh = tune.history.fresh_bytes if tune.history is not None else 0
    server.log.warning(
        line("reload in batches, a second set of workers does not fit", workers=target, room_for=room,
             fresh_worker_bytes=fresh)
    )  # fmt: skip


def finish(server: Any, tune: Autotune) -> None:
    """After the reload: what was changed only for it."""
    for name, value in tune.after_reload.items():
        server.cfg.set(name, value)
    tune.after_reload = {}


def _room(server: Any, tune: Autotune) -> int | None:
    """How many workers fit beside those there are; None where that cannot be told, and Gunicorn does as always.

    So it does in an upgrade, where nobody would carry the batches out, and with another address, on which the workers
    there are do not listen.
    """
    if tune.snapshot is None or tune.history is None or server.reexec_pid or server.master_pid:
        return None
    if server.cfg.address != tune.address_before_reload:
        return None
    rooms = replacements_that_fit(tune.policy, tune.history, tune.snapshot), files_spare(tune.snapshot)
    return min([max(0, room) for room in rooms if room is not None], default=None)
