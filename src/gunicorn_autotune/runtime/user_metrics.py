"""The users' own prometheus_client metrics: files named by slot instead of pid, so that they stop multiplying.

prometheus_client's multiprocess mode writes one set of files per pid and never removes them: with recycling a scrape
takes 0.9 s after 1,000 workers. Named by slot, a recycled worker goes on with the file of its predecessor. A process
that is forked from a worker, or from the arbiter, gets a name of its own: two that live at once must never share one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.runtime.log import line

_arbiter = 0
"""Its pid, first in every name; 0 while the client names files by itself."""
_identifier = ""
"""Empty in a forked process until it writes its first metric."""
_folder = ""
_installed = False
_begun = False
_users: frozenset[int] = frozenset()


def learn(policy: Policy, raw_env: Mapping[str, str]) -> None:
    """Before the app is imported (preload imports it before the arbiter starts): where its metrics are to be written.

    `raw_env` is Gunicorn's setting, which Gunicorn itself puts into the environment a moment later.
    """
    global _arbiter, _identifier, _installed
    # Imported late: prometheus_client lands in the arbiter only where the app brings it along anyway.
    from gunicorn_autotune.exporter import multiprocess

    os.environ.update({name: raw_env[name] for name in multiprocess.VARIABLES if name in raw_env})
    if policy.user_metrics == "off" or _arbiter or not multiprocess.configured():
        return
    # The arbiter's own pid keeps the two masters of a USR2 upgrade apart. No underscore: gauge file names split on it.
    _arbiter = os.getpid()
    _identifier = f"{_arbiter}arbiter"
    if not _installed:
        _installed = True
        multiprocess.install_slot_identifier(_name)
        os.register_at_fork(after_in_child=_drop_name)


def moved() -> bool:
    """Whether the folder is another one than at the last call; an exporter keeps the environment of its start."""
    global _folder
    from gunicorn_autotune.exporter import multiprocess

    before, _folder = _folder, multiprocess.configured()
    return before != _folder


def leave() -> None:
    """Autotune is switched off: processes forked from now on name their files by pid, as without us."""
    global _arbiter, _identifier
    _arbiter, _identifier = 0, ""


def _name() -> str:
    """Asked for at every operation of every metric."""
    return _identifier or (_claimed() if _arbiter else str(os.getpid()))


def _drop_name() -> None:
    global _identifier
    _identifier = ""


def _claimed() -> str:
    """A name for a process that somebody forked and that is no worker of ours."""
    global _identifier
    from gunicorn_autotune.exporter import children, metric_files, multiprocess

    directory = multiprocess.configured()
    number = children.claim(directory, _arbiter)
    _identifier = f"{_arbiter}process{os.getpid()}" if number is None else f"{_arbiter}child{number}"
    metric_files.mark_dead(directory, _identifier, _users or {os.geteuid()})
    return _identifier


def begin(server: Any, policy: Policy) -> None:
    """Before the first fork: the sockets are bound and no other server holds them. Files of an earlier run go.

    Not at a mere --check-config or a second start, which must not empty the folder of a running server; nor when a HUP
    has switched autotune on, since the workers that have ended until then belong to this run.
    """
    global _arbiter, _begun, _identifier, _users
    if not _arbiter or _begun:
        return
    _begun, _users = True, frozenset({os.geteuid(), int(server.cfg.uid)})
    if _arbiter != os.getpid():
        # `daemon = True` forked us since; what a preloaded app has written meanwhile has a name already.
        _arbiter = os.getpid()
        _identifier = _identifier or f"{_arbiter}arbiter"
    if not server.master_pid and server.worker_age <= 1:
        from gunicorn_autotune.exporter import metric_files, multiprocess

        metric_files.wipe(
            multiprocess.configured(), _users, lambda text: server.log.warning(line(text)), keep=_identifier,
            ours_only=policy.mode == "observe",
        )  # fmt: skip


def enter_slot(slot: int) -> None:
    """In a worker, after the fork."""
    global _identifier
    if _arbiter:
        _identifier = f"{_arbiter}slot{slot}"


def leave_slot(slot: int) -> None:
    """In the arbiter, after the reap: live gauges of a worker that is gone must not be shown."""
    if _arbiter:
        from gunicorn_autotune.exporter import metric_files, multiprocess

        metric_files.mark_dead(multiprocess.configured(), f"{_arbiter}slot{slot}", _users)
