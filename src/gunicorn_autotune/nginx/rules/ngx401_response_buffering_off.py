"""nginx should take answers from Gunicorn at once, except where they are streamed.

With `proxy_buffering on`, the default, nginx reads an answer as fast as Gunicorn writes it and lets the client take its
time. With `off` the worker writes only as fast as the client reads: a telephone on a bad line holds a sync worker, or a
thread of gthread, until the last byte. With 2 sync workers and 2 clients that read 20 MB slowly, the other requests
waited **7.0 s**; with buffering on, 1 ms.

Take the line out, or write `on`. What has to reach the client piece by piece (server-sent events, long polling) gets a
location of its own with `off`, or the application says so answer by answer with the header `X-Accel-Buffering: no`,
which needs no line in nginx at all.

Nothing is said about locations whose names tell of streaming (`/events`, `/ws/`, `@stream` and the like), nor about
worker classes that hold slow clients cheaply (gevent, eventlet, ASGI). Where `off` stands in a location for one part of
the application, it is only mentioned: ignore it if that part streams.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared.buffering import Unbuffered, held, unbuffered
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX401", Severity.WARNING, "Answers are buffered by nginx, except where they are streamed")


def check(site: Site) -> Iterator[Finding]:
    """Each `proxy_buffering off` that slow readers could use to hold workers."""
    for one in unbuffered(site, "proxy_buffering"):
        what, count = held(site.gunicorn)
        where = ", ".join(" ".join((place.name, *place.args)) for place in one.locations)
        yield at(
            RULE,
            one.value.directive or one.locations[0],
            f"answers are not buffered ({where}): a client that reads slowly holds {what} until the last byte{count}",
            severity=None if one.whole else Severity.INFO,
            nginx=one.value,
            gunicorn=site.gunicorn.shown("worker_class") if site.gunicorn else "",
            fix="proxy_buffering on;    # off only in a location of its own for what streams",
            edits=() if _chosen_here(one) else one.edits,
        )


def _chosen_here(one: Unbuffered) -> bool:
    """Whether the `off` stands in a location itself: what streams there would be stuck in nginx's buffers."""
    return any(one.value.directive in (place.block or ()) for place in one.locations)
