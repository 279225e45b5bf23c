"""nginx should receive a whole upload before it passes it to Gunicorn.

With `proxy_request_buffering on`, the default, a worker gets a request when its last byte is there, and reads it in one
go. With `off` it gets the first byte and waits for the others at the client's pace. With 2 sync workers and 4 slow
uploads, plain GETs took **5.4 s**; with buffering on, 1 to 2 ms. It happens without anybody meaning harm, and for an
attacker it is the cheapest way to stop a site: as many slow uploads as there are workers (sync) or threads (gthread).

Take the line out, or write `on`. nginx keeps uploads above `client_body_buffer_size` in a file meanwhile, so its disk
needs room for those under way.

An error where it holds for the whole application. Where `off` stands in a location for one part of it, it is a warning:
ignore it if the application must see an upload while it is still coming in (progress, checks of the first bytes), and
give that part a Gunicorn of its own. Nothing is said about gevent, eventlet and ASGI workers.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared.buffering import held, unbuffered
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX402", Severity.ERROR, "Uploads are received by nginx before a worker sees them")


def check(site: Site) -> Iterator[Finding]:
    """Each `proxy_request_buffering off` before workers that a slow upload holds."""
    for one in unbuffered(site, "proxy_request_buffering"):
        what, count = held(site.gunicorn)
        where = ", ".join(" ".join((place.name, *place.args)) for place in one.locations)
        yield at(
            RULE,
            one.value.directive or one.locations[0],
            f"uploads are passed on as they come in ({where}): a slow one holds {what} until it is complete{count}",
            severity=None if one.whole and site.gunicorn is not None else Severity.WARNING,
            nginx=one.value,
            gunicorn=site.gunicorn.shown("worker_class") if site.gunicorn else "",
            fix="proxy_request_buffering on;",
            edits=one.edits,
        )
