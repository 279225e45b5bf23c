"""How long nginx should wait for Gunicorn, and how long requests really take."""

from __future__ import annotations

from gunicorn_autotune.nginx.site.gunicorn import SYNC, UNKNOWN, Gunicorn
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import fitting

LONGEST_SECONDS = 120
"""Of a read or send timeout that nobody asked to be longer."""


def read_seconds(gunicorn: Gunicorn | None) -> int:
    """A fitting `proxy_read_timeout`, the one that render writes; nginx's own where Gunicorn is not known."""
    return fitting.NO_LIMIT_READ_SECONDS if gunicorn is None else fitting.read_seconds(gunicorn)[0]


def limit_shown(gunicorn: Gunicorn | None) -> str:
    """The setting of Gunicorn that bounds a request."""
    if gunicorn is None:
        return ""
    return gunicorn.shown("timeout" if gunicorn.kind in (SYNC, UNKNOWN) else "graceful_timeout")


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
