"""The users' own prometheus_client metrics: files named by slot instead of pid, so that they stop multiplying.

prometheus_client's multiprocess mode writes one set of files per pid and never removes them: with recycling a scrape
takes 0.9 s after 1,000 workers. Named by slot, a recycled worker goes on with the file of its predecessor.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from gunicorn_autotune.model.policy import Policy

_identifier = ""
_folder = ""


def learn(policy: Policy, raw_env: Mapping[str, str]) -> None:
    """Before the app is imported (preload imports it before the arbiter starts): where its metrics are to be written.

    `raw_env` is Gunicorn's setting, which Gunicorn itself puts into the environment a moment later.
    """
    global _identifier
    # Imported late: prometheus_client lands in the arbiter only where the app brings it along anyway.
    from gunicorn_autotune.exporter import multiprocess

    os.environ.update({name: raw_env[name] for name in multiprocess.VARIABLES if name in raw_env})
    if policy.user_metrics == "off" or _identifier or not multiprocess.configured():
        return
    # The arbiter's own pid keeps the two masters of a USR2 upgrade apart. No underscore: gauge file names split on it.
    _identifier = f"{os.getpid()}arbiter"
    multiprocess.install_slot_identifier(lambda: _identifier or str(os.getpid()))


def moved() -> bool:
    """Whether the folder is another one than at the last call; an exporter keeps the environment of its start."""
    global _folder
    from gunicorn_autotune.exporter import multiprocess

    before, _folder = _folder, multiprocess.configured()
    return before != _folder


def leave() -> None:
    """Autotune is switched off: processes forked from now on name their files by pid, as without us."""
    global _identifier
    _identifier = ""


def begin() -> None:
    """When the arbiter really starts (a mere --check-config must not empty the folder of a running server)."""
    if _identifier and "GUNICORN_PID" not in os.environ:
        from gunicorn_autotune.exporter import multiprocess

        multiprocess.wipe(multiprocess.configured(), keep=_identifier)


def enter_slot(slot: int) -> None:
    """In a worker, after the fork."""
    global _identifier
    if _identifier:
        _identifier = f"{os.getppid()}slot{slot}"


def leave_slot(slot: int) -> None:
    """In the arbiter, after the reap: live gauges of a worker that is gone must not be shown."""
    if _identifier:
        from gunicorn_autotune.exporter import multiprocess

        multiprocess.mark_dead(multiprocess.configured(), f"{os.getpid()}slot{slot}")
