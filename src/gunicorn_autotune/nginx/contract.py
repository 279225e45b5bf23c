"""The keepalive contract of both sides: whether Gunicorn keeps connections, who closes first, which figures fit."""

from __future__ import annotations

import math

from gunicorn_autotune.nginx import defaults, keepalive
from gunicorn_autotune.nginx.gunicorn import SYNC, THREADED, Gunicorn
from gunicorn_autotune.nginx.routes import Route, Upstream
from gunicorn_autotune.nginx.scope import Value
from gunicorn_autotune.nginx.site import Site

LINGERS, CURABLE = (27, 0, 1), (25, 3, 0)
"""First Gunicorn whose leaving gthread worker answers kept-alive requests; first without loss where nginx keeps no
connection (measured, docs/nginx.md)."""
LEAST_KEPT, MOST_KEPT = 8, 128
"""Kept connections of an nginx worker that pay: with 32 clients 16 gained what there is to gain."""
_SECONDS_BELOW, _LONGEST_IDLE_SECONDS = 6, 60
_IDLE_SECONDS, _KEEPALIVE_SECONDS = 4, 10
"""The pair for a Gunicorn whose own keepalive leaves nginx no room."""


def keeps(gunicorn: Gunicorn) -> bool:
    """Whether Gunicorn leaves any connection open after an answer (gthread.py, base_async.py: force_close)."""
    if gunicorn.kind == SYNC or gunicorn.get("keepalive", 2) <= 0:
        return False
    return gunicorn.kind != THREADED or gunicorn.get("worker_connections", 1000) > gunicorn.get("threads", 1)


def kept(route: Route, gunicorn: Gunicorn | None) -> bool:
    """Whether requests of this route go over kept connections, as far as both sides are known."""
    return keepalive.kept(route).in_force and (gunicorn is None or keeps(gunicorn))


def kept_upstreams(site: Site) -> list[tuple[Upstream, list[Route]]]:
    """Upstreams with kept connections to Gunicorn, each with the routes that use them."""
    found: dict[str, list[Route]] = {}
    for route in site.routes:
        if kept(route, site.gunicorn):
            found.setdefault(route.upstream.name, []).append(route)
    return [(routes[0].upstream, routes) for routes in found.values()]


def outlasting(upstream: Upstream, version: str, gunicorn: Gunicorn) -> Value | None:
    """nginx's idle time where Gunicorn closes first, or at the same moment; None where nginx is the first."""
    idle = keepalive.idle_timeout(upstream, version)
    if not keeps(gunicorn) or (idle.args and idle.seconds is None):
        return None
    return idle if idle.seconds is None or idle.seconds >= gunicorn.get("keepalive", 2) else None


def fitting(gunicorn: Gunicorn) -> tuple[int, int | None]:
    """nginx's keepalive_timeout in seconds, and Gunicorn's keepalive where it must change too."""
    allowed = int(gunicorn.get("keepalive", 2))
    if allowed < 2:
        return _IDLE_SECONDS, _KEEPALIVE_SECONDS
    return min(_LONGEST_IDLE_SECONDS, max(1, allowed - _SECONDS_BELOW)), None


def fitting_connections(site: Site, gunicorn: Gunicorn) -> int:
    """`keepalive N` for the most workers there may be; 2 nginx workers where their number is not known."""
    workers = nginx_workers(site) or 2
    wanted = math.ceil(2 * gunicorn.most_workers * gunicorn.requests_at_once / workers)
    return min(MOST_KEPT, max(LEAST_KEPT, wanted))


def nginx_workers(site: Site) -> int | None:
    """worker_processes; None where `auto` stands for a number of CPUs not known here."""
    text = site.main.value("worker_processes").text
    return max(1, int(text)) if text.isdigit() else site.host.cpus if text == "auto" else None


def kept_lines(site: Site, gunicorn: Gunicorn) -> str:
    """What an upstream needs to keep connections to this Gunicorn; for nginx 1.15.3 and later."""
    lines = [f"keepalive {fitting_connections(site, gunicorn)};", f"keepalive_timeout {fitting(gunicorn)[0]}s;"]
    # Before 1.19.10 the 100 requests that end a connection are the default.
    return "\n".join([*lines, "keepalive_time 2s;"] if site.numbers >= defaults.KEEPALIVE_TIME else lines)


def gunicorn_line(gunicorn: Gunicorn) -> str:
    """Gunicorn's half of the fix, a line of its own; empty where nginx's half is enough."""
    seconds = fitting(gunicorn)[1]
    return f"\nkeepalive = {seconds}    # in Gunicorn's configuration file" if seconds else ""
