"""Gunicorn's `keepalive` must be longer than the idle time nginx allows.

nginx keeps idle connections to Gunicorn for `keepalive_timeout` of the upstream, 60 s unless it is set. Gunicorn closes
them after `keepalive` seconds, 2 unless it is set. When Gunicorn closes first, nginx may be writing the next request
into that very connection: the request is lost. nginx tries GET, PUT and DELETE again on its own, so they only become
slower; **POST and PATCH become 502**. With `keepalive = 2` and `keepalive 32;` 4.9 to 5.0 % of POSTs failed in bursty
traffic with pauses. Equal values are not enough (7 of 1,440 failed): the race is between two clocks.

Since nginx 1.29.7 an `upstream` without any keepalive line keeps connections too, so an upgrade of nginx can start it.
sync workers close every connection themselves and are not affected.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx import edits, keepalive
from gunicorn_autotune.nginx.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.gunicorn import SYNC
from gunicorn_autotune.nginx.routes import Route
from gunicorn_autotune.nginx.site import Site

RULE = Rule(
    "NGX001", Severity.ERROR, "Gunicorn keeps idle connections longer than nginx does", frozenset({Need.GUNICORN})
)
FITTING_SECONDS = 10
"""With nginx's 4 s: the pair that render writes."""


def check(site: Site) -> Iterator[Finding]:
    """Each upstream whose connections are kept longer by nginx than by Gunicorn."""
    gunicorn = site.gunicorn
    if gunicorn is None or gunicorn.kind == SYNC:
        return
    raced = {route.upstream.name: route for route in site.routes if keepalive.kept(route).in_force}
    for route in raced.values():
        idle = keepalive.idle_timeout(route.upstream, site.version)
        allowed = gunicorn.get("keepalive", 2)
        if idle.seconds is not None and idle.seconds >= allowed:
            yield at(
                RULE,
                idle.directive or route.upstream.block or route.proxy_pass,
                f"Gunicorn closes idle connections after {allowed} s, nginx still uses them for up to "
                f"{idle.seconds:g} s: POSTs get 502",
                nginx=idle,
                gunicorn=gunicorn.shown("keepalive"),
                fix=f"keepalive_timeout 4s;    # in upstream {route.upstream.name}\n"
                f"keepalive = {FITTING_SECONDS}           # in Gunicorn's configuration file",
                edits=_edits(route, allowed),
            )


def _edits(route: Route, allowed: int) -> edits.Edits:
    """nginx's half alone cures where Gunicorn's keepalive leaves room for it."""
    block, line = route.upstream.block, route.upstream.value("keepalive_timeout")
    text = f"keepalive_timeout {min(4, allowed - 1)}s;"
    if allowed <= 1 or block is None:
        return ()
    return edits.replaced(line, text) if line else edits.added_in(block, text)
