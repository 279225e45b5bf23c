"""On and off: an arbiter that starts or reloads becomes ours, or Gunicorn's own again, as its configuration now says.

Every function here is called by Gunicorn's own `setup` and `start` through compat.extend_arbiter, whose guard holds
what they raise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

from gunicorn_autotune.model.status import Door
from gunicorn_autotune.runtime import arbiter, commands, compat, reader, user_metrics, written
from gunicorn_autotune.runtime.arbiter import AutotuneArbiter
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune

_started: tuple[int, Any] | None = None


def running() -> Any:
    """The arbiter that has started in this process; None before that, and in a process that was forked from it."""
    return _started[1] if _started is not None and _started[0] == os.getpid() else None


def before_setup(_server: Any, app: Any) -> None:
    """A configuration has been read; the app may be imported in the next moment (preload)."""
    reader.forget_conf()
    if written.policy.mode != "off":
        user_metrics.learn(written.policy, app.cfg.env)


def after_setup(server: Any) -> None:
    """In a reload: the mode may have changed from or to off. At the first setup nothing has started yet."""
    if running() is not server:
        return
    off, ours = written.policy.mode == "off", isinstance(server, AutotuneArbiter)
    if off and ours:
        _leave(server)
    elif not off and not ours:
        arbiter.adopt(server, written.policy)


def before_start(server: Any) -> None:
    """The first thing that an arbiter does in `start`."""
    global _started
    _started = os.getpid(), server
    if written.policy.mode != "off":
        user_metrics.moved()
        arbiter.adopt(server, written.policy)
    else:
        arbiter.forget_upgrade(server)


def _leave(server: Any) -> None:
    """Off by a reload: Gunicorn's own class again, whose reload goes on with the new workers, none of them ours."""
    tune = server.autotune
    count = tune.target_before_reload
    server.__class__ = type(server).__bases__[1]
    if count and compat.written_workers(server.cfg) is None:
        # Gunicorn's default of one is what nobody asked for.
        server.cfg.set("workers", count)
        server.num_workers = count
    server.log.info(line("off since this reload: plain Gunicorn, the count is left alone", workers=server.num_workers))
    user_metrics.leave()
    for let_go in _belongings(tune):
        tune.doors.through(Door.SETUP, let_go)


def _belongings(tune: Autotune) -> Iterator[Callable[[], object]]:
    """How to give up what an arbiter of ours holds; one that fails must not keep the rest."""
    yield lambda: commands.stop(tune)
    if tune.flight is not None:
        yield tune.flight.forget
    if tune.exporter is not None:
        yield tune.exporter.stop
        yield tune.exporter.forget
    for tracked in list(tune.tracked.values()):
        if tracked.probe is not None:
            yield tracked.probe.close
    yield tune.board.leave
