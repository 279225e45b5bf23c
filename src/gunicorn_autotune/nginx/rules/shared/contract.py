"""The keepalive contract of both sides: whether Gunicorn keeps connections, who closes first, which figures fit."""

from __future__ import annotations

from gunicorn_autotune.nginx.site import defaults, keepalive
from gunicorn_autotune.nginx.site.gunicorn import SYNC, THREADED, Gunicorn
from gunicorn_autotune.nginx.site.routes import Route, Upstream
from gunicorn_autotune.nginx.site.scope import Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits, fitting
from gunicorn_autotune.nginx.write.options import Options

_PAIR = (4, 10)
"""Seconds for nginx and Gunicorn, where Gunicorn's own keepalive leaves nginx no room."""


def keeps(gunicorn: Gunicorn) -> bool:
    """Whether Gunicorn leaves any connection open after an answer (gthread.py, base_async.py: force_close)."""
    if gunicorn.kind == SYNC or gunicorn.get("keepalive", 2) <= 0:
        return False
    return gunicorn.kind != THREADED or gunicorn.get("worker_connections", 1000) > gunicorn.get("threads", 1)


def kept_by_both(route: Route, gunicorn: Gunicorn | None) -> bool:
    """Whether requests of this route go over kept connections, as far as both sides are known."""
    return keepalive.kept(route).in_force and (gunicorn is None or keeps(gunicorn))


def kept_upstreams(site: Site) -> list[tuple[Upstream, list[Route]]]:
    """Upstreams with kept connections to Gunicorn, each with the routes that use them."""
    found: dict[str, list[Route]] = {}
    for route in site.routes:
        if kept_by_both(route, site.gunicorn):
            found.setdefault(route.upstream.name, []).append(route)
    return [(routes[0].upstream, routes) for routes in found.values()]


def outlasting(upstream: Upstream, version: str, gunicorn: Gunicorn) -> Value | None:
    """nginx's idle time where Gunicorn closes first, or at the same moment; None where nginx is the first."""
    idle = keepalive.idle_timeout(upstream, version)
    if not keeps(gunicorn) or (idle.args and idle.seconds is None):
        return None
    return idle if idle.seconds is None or idle.seconds >= gunicorn.get("keepalive", 2) else None


def pair(gunicorn: Gunicorn) -> tuple[int, int | None]:
    """nginx's keepalive_timeout in seconds, and Gunicorn's keepalive where it must change too."""
    return _PAIR if gunicorn.get("keepalive", 2) < 2 else (fitting.idle_seconds(gunicorn), None)


def fitting_connections(site: Site, gunicorn: Gunicorn) -> int:
    """`keepalive N` for the most workers there may be; 2 nginx workers where their number is not known."""
    return fitting.kept_connections(gunicorn, Options(nginx_workers=site.nginx_workers or 2))


def kept_lines(site: Site, gunicorn: Gunicorn) -> str:
    """What an upstream needs to keep connections to this Gunicorn; for nginx 1.15.3 and later."""
    lines = [f"keepalive {fitting_connections(site, gunicorn)};", f"keepalive_timeout {pair(gunicorn)[0]}s;"]
    # Before 1.19.10 the 100 requests that end a connection are the default.
    return "\n".join([*lines, "keepalive_time 2s;"] if site.numbers >= defaults.KEEPALIVE_TIME else lines)


def gunicorn_line(gunicorn: Gunicorn) -> str:
    """Gunicorn's half of the fix, a line of its own; empty where nginx's half is enough."""
    seconds = pair(gunicorn)[1]
    return f"\nkeepalive = {seconds}    # in Gunicorn's configuration file" if seconds else ""


def idle_line(upstream: Upstream, gunicorn: Gunicorn) -> str:
    """nginx's time that fits, to paste, and Gunicorn's where that must change too."""
    return f"keepalive_timeout {pair(gunicorn)[0]}s;    # in upstream {upstream.name}{gunicorn_line(gunicorn)}"


def idle_edits(upstream: Upstream, gunicorn: Gunicorn) -> edits.Edits:
    """nginx's half alone cures where Gunicorn's keepalive leaves room for it; () else."""
    seconds, changed = pair(gunicorn)
    block, line = upstream.block, upstream.value("keepalive_timeout")
    if changed or block is None:
        return ()
    text = f"keepalive_timeout {seconds}s;"
    return edits.replaced(line, text) if line else edits.added_in(block, text)


def with_keeping(site: Site, upstream: Upstream) -> tuple[list[str], edits.Edits | None]:
    """What else a fix needs that makes a declared keepalive work, so that it does not bring the race of NGX001.

    Lines to paste and edits; None for edits where nginx's half is not enough.
    """
    gunicorn = site.gunicorn
    idle = outlasting(upstream, site.version, gunicorn) if gunicorn is not None else None
    if gunicorn is None or idle is None:
        return [], ()
    if not idle.args:
        return [
            f"# nginx {site.version} never lets go of a connection (1.15.3 can): better no keepalive (NGX001)"
        ], None
    made = idle_edits(upstream, gunicorn)
    return [idle_line(upstream, gunicorn)], made or None


def loses(gunicorn: Gunicorn | None) -> bool:
    """Whether leaving workers lose requests on kept connections, so that none should be kept (NGX007)."""
    return gunicorn is not None and gunicorn.kind == THREADED and () < gunicorn.numbers < fitting.LINGERS
