"""Connecting to a Gunicorn on the same host should fail soon, if it fails.

On one host a connection takes microseconds. If it takes longer, Gunicorn's listen queue is full: the kernel drops the
SYN and nginx's kernel sends it again after 1, 3 and 7 s, up to `proxy_connect_timeout`, 60 s unless it is set. In that
time the client sees nothing, the log says nothing, and Gunicorn does not know that anybody waits.

Set `proxy_connect_timeout 5s;`: a full queue then shows as 504 and in the error log while somebody can act on it. A
larger `backlog` (and `net.core.somaxconn`) lets more requests wait where they can be counted.

Silent for UNIX sockets, which refuse at once when the queue is full (NGX205), and for Gunicorns on other hosts.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared.places import places
from gunicorn_autotune.nginx.site.site import Site, on_this_host

RULE = Rule("NGX106", Severity.INFO, "A full queue on the same host is noticed soon")
LONGEST_SECONDS, TEXT = 10, "proxy_connect_timeout 5s;"


def check(site: Site) -> Iterator[Finding]:
    """Each long connect timeout towards this very host."""
    for place in places(site, "proxy_connect_timeout", [route for route in site.routes if on_this_host(site, route)]):
        waits = place.value.seconds
        if waits is not None and waits > LONGEST_SECONDS:
            yield at(
                RULE,
                place.directive,
                f"when Gunicorn's listen queue is full, clients wait up to {waits:g} s before they get an error",
                nginx=place.value,
                gunicorn=site.gunicorn.shown("backlog") if site.gunicorn is not None else "",
                fix=TEXT,
                edits=place.written(TEXT),
            )
