"""Checks of settings of Gunicorn that hurt only under load: who may connect, how many threads, how long a request."""

from __future__ import annotations

import os

from gunicorn_autotune.cli.finding import Check, Finding, Host, ok, warn
from gunicorn_autotune.exporter.address import is_private, parse_address
from gunicorn_autotune.runtime.compat import OVERLAPPING, SINGLE, THREADED

MANY_THREADS = 32
"""Above, one lock instead of a cell for each thread records the requests; the GIL has been shared out long before."""
LONG_TIMEOUT_SECONDS = 300
"""Five times what nginx waits by default (proxy_read_timeout 60 s): whoever asked has long got a 504."""
CONTAINER_MARKS = (".dockerenv", "run/.containerenv")


def check_bind(host: Host) -> Finding | None:
    """Whether others than a proxy on this host can connect: slow clients hold a sync worker or a thread each."""
    if not host.probe.settings:
        return None
    addresses = [str(one) for one in _listed(host.setting("bind", []))]
    opened = [one for one in addresses if _is_open(one)]
    if not opened:
        return ok(f"{', '.join(addresses)}: only this host can connect")
    shown = f"{', '.join(opened)}: open to the network"
    if _in_container(host):
        return ok(f"{shown}, as in a container it must be; a proxy in front takes the slow clients")
    if host.probe.kind == OVERLAPPING:
        return ok(f"{shown}; slow clients hold a connection each, no worker")
    holds = "a worker" if host.probe.kind == SINGLE else "a thread"
    return warn(
        f"{shown}: without a proxy in front each slow client holds {holds}",
        "bind a UNIX socket or 127.0.0.1 behind nginx (gunicorn-autotune nginx render)",
    )


def _listed(bind: object) -> list[object]:
    return list(bind) if isinstance(bind, (list, tuple)) else [bind]


def _is_open(address: str) -> bool:
    """Of a name or anything else that is no address: not known, so not said."""
    bare = address.removeprefix("http://").removeprefix("https://").removeprefix("tcp://")
    if bare.startswith(("unix:", "fd://")):
        return False
    try:
        return not is_private(parse_address(bare, "bind"))
    except ValueError:
        return False


def _in_container(host: Host) -> bool:
    marked = any((host.root / mark).exists() for mark in CONTAINER_MARKS)
    return marked or "KUBERNETES_SERVICE_HOST" in os.environ


def check_threads(host: Host) -> Finding | None:
    """Threads of one worker; of no other class than gthread."""
    if host.probe.kind != THREADED:
        return None
    threads = host.setting("threads", 1)
    if threads > MANY_THREADS:
        return warn(
            f"{threads} threads in a process share one GIL: those that compute wait for each other, unseen",
            "threads = 4 to 16, and let the number of workers grow",
        )
    return ok(f"{threads} in a worker")


def check_timeout(host: Host) -> Finding | None:
    """How long a worker that hangs keeps its place."""
    if not host.probe.settings:
        return None
    seconds = host.setting("timeout", 30)
    if seconds == 0:
        return warn(
            "0, no limit: a worker that hangs keeps its place until a restart, and leaves no sooner in a shrink",
            "timeout = 30, or the longest request you mean to serve",
        )
    if seconds > LONG_TIMEOUT_SECONDS:
        return warn(
            f"{seconds} s: a worker that hangs keeps its place as long",
            "slow work outside of the request (a task queue), and timeout = 30 to 120",
        )
    return ok(f"{seconds} s")


CHECKS: dict[str, Check] = {"bind": check_bind, "threads": check_threads, "timeout": check_timeout}
