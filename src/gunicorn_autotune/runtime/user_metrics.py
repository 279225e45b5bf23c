"""The users' own prometheus_client metrics: files named by slot instead of pid, so that they stop multiplying.

prometheus_client's multiprocess mode writes one set of files per pid and never removes them: with recycling a scrape
takes 0.9 s after 1,000 workers. Named by slot, a recycled worker goes on with the file of its predecessor.
"""

from __future__ import annotations

import os

from gunicorn_autotune.model.policy import Policy

_identifier = ""


def directory() -> str:
    """PROMETHEUS_MULTIPROC_DIR, or empty when the user has none."""
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR") or ""


def prepare(policy: Policy) -> None:
    """Before the app is imported (preload imports it before the arbiter starts)."""
    global _identifier
    if not directory() or policy.user_metrics == "off" or _identifier:
        return
    from gunicorn_autotune.exporter import multiprocess

    # The arbiter's own pid keeps the two masters of a USR2 upgrade apart. No underscore: gauge file names split on it.
    _identifier = f"{os.getpid()}arbiter"
    if "GUNICORN_PID" not in os.environ:
        multiprocess.wipe(directory())
    multiprocess.install_slot_identifier(lambda: _identifier)


def enter_slot(slot: int) -> None:
    """In a worker, after the fork."""
    global _identifier
    if _identifier:
        _identifier = f"{os.getppid()}slot{slot}"


def leave_slot(slot: int) -> None:
    """In the arbiter, after the reap: live gauges of a worker that is gone must not be shown."""
    if _identifier:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(f"{os.getpid()}slot{slot}", directory())  # type: ignore[no-untyped-call]
