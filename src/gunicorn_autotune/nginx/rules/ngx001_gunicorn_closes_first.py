"""Gunicorn's `keepalive` must be longer than the idle time nginx allows.

nginx keeps idle connections to Gunicorn for `keepalive_timeout` of the upstream, 60 s unless it is set. Gunicorn
closes them after `keepalive` seconds, 2 unless it is set. When Gunicorn closes first, nginx may be writing the next
request into that very connection: the request is lost. nginx tries GET, PUT and DELETE again on its own, so they only
become slower; **POST and PATCH become 502**. With `keepalive = 2` and `keepalive 32;` 4.9 to 5.0 % of POSTs failed in
bursty traffic with pauses (gthread of 23.0.0, 25.3.0 and 27.0.1). Equal values are not enough (7 of 1,440 failed): the
race is between two clocks. With 1 s against 2 s, and with 60 s against 75 s, 0 of 1,440 failed.

Set nginx's time strictly below Gunicorn's; either side will do. 4 s against 10 s is a good pair. nginx before 1.15.3
has no such setting and keeps connections for ever: there the cure is `proxy_set_header Connection close;`, or a newer
nginx. Since nginx 1.29.7 an `upstream` without any keepalive line keeps connections too, so an upgrade of nginx can
start it.

There is no race with sync workers, which close every connection themselves, nor with `keepalive = 0`. With gevent 0 of
2,400 failed, which does not prove that none can; other classes were not measured. For these it is only a warning.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import contract
from gunicorn_autotune.nginx.site.gunicorn import THREADED
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule(
    "NGX001", Severity.ERROR, "Gunicorn keeps idle connections longer than nginx does", frozenset({Need.GUNICORN})
)


def check(site: Site) -> Iterator[Finding]:
    """Each upstream whose connections are kept longer by nginx than by Gunicorn."""
    gunicorn = site.gunicorn
    if gunicorn is None:
        return
    measured = site.found and gunicorn.kind == THREADED
    for upstream, routes in contract.kept_upstreams(site):
        idle = contract.outlasting(upstream, site.version, gunicorn)
        if idle is None:
            continue
        used = f"still uses them for up to {idle.seconds:g} s" if idle.seconds is not None else "never stops using them"
        yield at(
            RULE,
            idle.directive or upstream.block or routes[0].proxy_pass,
            f"Gunicorn closes idle connections after {gunicorn.get('keepalive', 2)} s, nginx {used}: "
            f"POSTs {'get' if measured else 'may get'} 502",
            severity=None if measured else Severity.WARNING,
            nginx=idle,
            gunicorn=gunicorn.shown("keepalive"),
            fix=contract.idle_line(upstream, gunicorn) if idle.args else "proxy_set_header Connection close;",
            edits=contract.idle_edits(upstream, gunicorn) if idle.args else (),
        )
