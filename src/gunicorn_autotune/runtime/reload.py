"""HUP. Gunicorn starts a second set of workers beside the first; where that would not fit, they are recycled instead.

The new configuration and code are in force at once. The workers that run the old are marked, and the law replaces them,
as many at a time as memory has room for.
"""

from __future__ import annotations

from typing import Any

from gunicorn_autotune.law.memory import replacements_that_fit
from gunicorn_autotune.model.status import Mode
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune


def standing_target(server: Any, tune: Autotune) -> int:
    """The target without a replacement that stands beside the worker it replaces, or a worker that has left first."""
    under_way = tune.history.recycling if tune.history is not None else None
    return int(under_way.workers if under_way is not None else server.num_workers)


def prepare(server: Any, tune: Autotune, target: int) -> None:
    """In on_reload, after the configuration was read and before the spawn: how many workers Gunicorn starts now."""
    server.cfg.set("workers", target)
    server.num_workers = target
    room = _room(tune)
    if room is None or room >= target:
        return
    for tracked in list(tune.tracked.values()):
        tracked.outdated = True
    # Gunicorn spawns cfg.workers and then waits graceful_timeout for the old ones to leave, holding the loop.
    tune.after_reload = {"workers": target, "graceful_timeout": server.cfg.graceful_timeout}
    server.cfg.set("workers", 0)
    server.cfg.set("graceful_timeout", 0)
    fresh = tune.history.fresh_bytes
    server.log.warning(
        line("reload in batches, a second set of workers does not fit", workers=target, room_for=room,
             fresh_worker_bytes=fresh)
    )  # fmt: skip


def finish(server: Any, tune: Autotune) -> None:
    """After the reload: what was changed only for it."""
    for name, value in tune.after_reload.items():
        server.cfg.set(name, value)
    tune.after_reload = {}


def _room(tune: Autotune) -> int | None:
    """How many workers fit beside those there are; None where that cannot be told, and Gunicorn does as always."""
    if tune.mode is not Mode.ACTIVE or tune.snapshot is None or tune.history is None:
        return None
    return replacements_that_fit(tune.policy, tune.history, tune.snapshot)
