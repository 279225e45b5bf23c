"""nginx should wait long enough for good requests.

With `proxy_read_timeout 2s` every answer that takes longer to begin becomes 504, and so do good requests whenever they
have to wait for a worker: a queue of two seconds turns into an outage. The worker finishes the work all the same, so
the clients' retries come on top.

Give it at least what the slowest good request needs, in doubt what Gunicorn's side allows. To shed load on purpose use
`limit_conn` (NGX404): it refuses before the work is done.

The rule fires below 5 s, and for any time that is shorter than what is seen: the p99 of the timing log, or a request
that has been running for longer at this moment. Silent where NGX101 says the same and more, and for an exact location
(`location = /health`), where a short time is usually meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared.places import location, long_lived, places
from gunicorn_autotune.nginx.rules.shared.timeouts import limit_shown, read_seconds, slowest_seconds
from gunicorn_autotune.nginx.site.gunicorn import SYNC
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX105", Severity.WARNING, "nginx waits long enough for good requests")
LEAST_SECONDS = 5


def check(site: Site) -> Iterator[Finding]:
    """Each read timeout that good requests do not meet."""
    # Whose request is slow cannot be told: no figure counts where some last by design.
    slowest = None if any(map(long_lived, site.routes)) else slowest_seconds(site)
    for place in places(site, "proxy_read_timeout", [route for route in site.routes if not _exact(route)]):
        waits = place.value.seconds
        why = None if waits is None or _said_before(site, waits) else _why(waits, slowest)
        if why is not None:
            # Twice what was seen, where Gunicorn's own limits ask for less.
            seen = slowest[0] if slowest is not None else 0
            text = f"proxy_read_timeout {max(read_seconds(site.gunicorn), round(2 * seen))}s;"
            yield at(
                RULE,
                place.directive,
                why,
                nginx=place.value,
                gunicorn=limit_shown(site.gunicorn),
                fix=text,
                edits=edits.replaced(place.directive, text) if place.value.directive is not None else (),
            )


def _why(waits: float, slowest: tuple[float, str] | None) -> str | None:
    if slowest is not None and slowest[0] >= waits:
        return f"nginx answers 504 after {waits:g} s, and {slowest[1]} {slowest[0]:g} s"
    if waits < LEAST_SECONDS:
        return f"nginx answers 504 after {waits:g} s, and a request may wait that long for a free worker"
    return None


def _exact(route: Route) -> bool:
    return location(route.scope).args[:1] == ("=",)


def _said_before(site: Site, waits: float) -> bool:
    gunicorn = site.gunicorn
    return gunicorn is not None and gunicorn.kind == SYNC and waits < gunicorn.get("timeout", 30)
