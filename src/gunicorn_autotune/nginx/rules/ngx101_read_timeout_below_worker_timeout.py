"""nginx must wait longer than a sync worker works.

A sync worker is killed when one request takes longer than `timeout`, 30 s unless it is set; until then it works on,
whether anybody still waits or not. If nginx gives up first (`proxy_read_timeout`), the client gets 504 and usually
tries again, while the worker goes on with the dead request. Measured with one worker, `timeout 30`, a read timeout of 2
s and an app that takes 6 s: 504 at 2 s, and the **next** request 504 too. Under load every worker is soon busy with
requests that nobody waits for. If nginx waits longer, Gunicorn ends the request, logs where it hung, and replaces the
worker.

Set `proxy_read_timeout` to `timeout` plus 5 s, or lower `timeout`. Raised `timeout` to 120 for one slow page? nginx
still gives up after its default of 60 s: give that page a location with a longer read timeout, or better, move the work
out of the request.

Only a warning for a location that takes some of the requests: its short time may be meant. Silent where an exact
location such as `location = /health` sets its own time. Other worker classes: see NGX102.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared.places import general, location, places
from gunicorn_autotune.nginx.rules.shared.timeouts import read_seconds
from gunicorn_autotune.nginx.site.gunicorn import SYNC
from gunicorn_autotune.nginx.site.locations import EXACT, pattern_of
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX101", Severity.ERROR, "nginx waits longer than a sync worker works", frozenset({Need.GUNICORN}))

_NAME = "proxy_read_timeout"


def check(site: Site) -> Iterator[Finding]:
    """Each read timeout below the `timeout` of sync workers."""
    gunicorn = site.gunicorn
    if gunicorn is None or gunicorn.kind != SYNC:
        return
    timeout = gunicorn.get("timeout", 30)
    text = f"proxy_read_timeout {read_seconds(gunicorn)}s;"
    for place in places(site, _NAME, [route for route in site.routes if not _meant(route)]):
        waits = place.value.seconds
        if waits is None or waits >= timeout:
            continue
        certain = site.found and any(map(general, place.routes))
        yield at(
            RULE,
            place.directive,
            f"nginx gives up after {waits:g} s and answers 504, but the sync worker goes on for up to {timeout} s",
            severity=None if certain else Severity.WARNING,
            nginx=place.value,
            gunicorn=gunicorn.shown("timeout"),
            fix=text,
            edits=place.written(text),
        )


def _meant(route: Route) -> bool:
    """Whether it is a short time of a single path's own, as a health check has."""
    own = location(route.scope)
    return pattern_of(own)[0] == EXACT and bool(own.children(_NAME))
