"""How long nginx should wait for Gunicorn, and how long requests really take."""

from __future__ import annotations

from gunicorn_autotune.nginx.gunicorn import SYNC, UNKNOWN, Gunicorn
from gunicorn_autotune.nginx.site import Site

LONGEST_SECONDS = 120
"""Of a read or send timeout that nobody asked to be longer."""
_MARGIN_SECONDS = 5
_NO_LIMIT_SECONDS = 60


def read_seconds(gunicorn: Gunicorn | None) -> int:
    """A fitting `proxy_read_timeout`.

    Sync: Gunicorn ends a request after `timeout`; nginx, giving up earlier, would leave the worker at a dead request.
    gthread and event loops: `timeout` bounds no request, and what outlasts graceful_timeout dies with its worker.
    """
    if gunicorn is None:
        return _NO_LIMIT_SECONDS
    if gunicorn.kind in (SYNC, UNKNOWN):
        timeout = int(gunicorn.get("timeout", 30))
        return timeout + _MARGIN_SECONDS if timeout else _NO_LIMIT_SECONDS
    return max(_MARGIN_SECONDS, int(gunicorn.get("graceful_timeout", 30)))


def longest_seconds(site: Site) -> float:
    """The longest read or send timeout that has a reason: Gunicorn's own limits, or 20 times the slow requests seen."""
    timing = site.host.timing
    known = 20 * timing.p99_seconds if timing is not None else 0
    return max(LONGEST_SECONDS, read_seconds(site.gunicorn) * 1.2, known)


def slowest_seconds(site: Site) -> tuple[float, str] | None:
    """The slowest request known, with the words for it: the timing log's p99, or one that runs now; None without."""
    found = []
    if site.host.timing is not None:
        found.append((site.host.timing.p99_seconds, "one request in a hundred takes"))
    status = site.gunicorn.status if site.gunicorn is not None else None
    workers = status.get("workers") if status is not None else None
    for worker in workers if isinstance(workers, (list, tuple)) else ():
        age = worker.get("oldest_request_seconds") if isinstance(worker, dict) else None
        # A figure that is missing is an object that says why.
        if isinstance(age, (int, float)) and age > 0:
            found.append((age, "a request has now been running for"))
    return max(found, default=None)
