"""nginx should not wait for minutes for an answer that will not come.

A request that hangs holds a client, two connections of nginx, and a thread or a whole worker of Gunicorn, for as long
as `proxy_read_timeout` says; behind gthread nothing else ends it. With a read timeout of 10 minutes a few hanging
calls to a database take the site down for ten minutes at a time.

Choose what the slowest good request needs: 20 times the p99 is plenty. Work that takes minutes belongs in a queue of
jobs. A single slow page (an export) can have a location of its own with a longer time.

The rule fires above 120 s, unless Gunicorn's own limits (`timeout` of sync workers, else `graceful_timeout`) or 20
times the p99 of the timing log ask for more. No patch changes it: somebody chose the time, and knows which request
needs it. Silent for websockets and for streams in a location of their own, which are silent for long with good reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared.places import long_lived, places
from gunicorn_autotune.nginx.rules.shared.timeouts import limit_shown, longest_seconds, read_seconds
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX104", Severity.WARNING, "nginx does not wait for minutes for a stuck request")


def check(site: Site) -> Iterator[Finding]:
    """Each read or send timeout above what any limit or figure asks for."""
    longest, timing = longest_seconds(site), site.host.timing
    seen = f"; one request in a hundred takes {timing.p99_seconds:g} s" if timing is not None else ""
    routes = [route for route in site.routes if not long_lived(route)]
    for name in ("proxy_read_timeout", "proxy_send_timeout"):
        for place in places(site, name, routes):
            waits = place.value.seconds
            if waits is None or waits <= longest:
                continue
            text = f"{name} {read_seconds(site.gunicorn)}s;"
            yield at(
                RULE,
                place.directive,
                f"a stuck request holds its connections and its thread or worker for up to {waits:g} s{seen}",
                nginx=place.value,
                gunicorn=limit_shown(site.gunicorn),
                fix=text,
            )
