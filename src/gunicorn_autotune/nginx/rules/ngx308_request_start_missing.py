"""nginx should tell autotune when a request arrived.

How long requests wait before a worker takes them is the best sign that more workers would help. nginx can tell it: with
`proxy_set_header X-Request-Start "t=${msec}";` Gunicorn sees when nginx passed the request on. Without it autotune has
the kernel's word only, which says nothing about requests that wait inside a gthread worker, or come over a UNIX socket.
Measured: 20 requests at once on 2 workers of 50 ms read 1 to 462 ms, the staircase it should be.

The clock starts when nginx has the whole request, so slow uploads do not count. A client's own header is overwritten.
The clocks of two hosts must agree. Times in words (`$time_iso8601`) cannot be read; seconds, milliseconds,
microseconds and nanoseconds can.

Ignore it behind a load balancer that sends the header already: its stamp, passed on, is the better one.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import headers
from gunicorn_autotune.nginx.site.scope import Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX308", Severity.INFO, "nginx tells autotune when a request arrived", frozenset({Need.GUNICORN}))
NAME = "X-Request-Start"
LINE = 'proxy_set_header X-Request-Start "t=${msec}";'
_UNREADABLE = ("$time_", "$date_", "$request_time", "$request_id")


def check(site: Site) -> Iterator[Finding]:
    """Each place without the line, where autotune is there to read it."""
    if site.gunicorn is None or site.gunicorn.policy is None:
        return
    for gap in headers.gaps(site, lambda route: (LINE,) if headers.unset(route, NAME) else ()):
        yield at(
            RULE,
            gap.place,
            f"{gap.who}: no X-Request-Start is sent, so autotune cannot tell how long requests wait",
            nginx=f"no such proxy_set_header for {gap.routes[0].proxy_pass.shown}",
            fix=gap.text,
            edits=gap.edits,
        )
    stamps = (route.scope.header(NAME) for route in site.routes)
    for stamp in {one.origin: one for one in stamps if one is not None}.values():
        yield from _judged(stamp)


def _judged(stamp: Value) -> Iterator[Finding]:
    if any(word in stamp.args[1] for word in _UNREADABLE) and stamp.directive is not None:
        yield at(
            RULE,
            stamp.directive,
            f"autotune cannot read {stamp.args[1]} as a time",
            nginx=stamp,
            fix=LINE,
            edits=edits.replaced(stamp.directive, LINE),
        )
