"""nginx should have connections enough to fill Gunicorn.

`worker_connections` counts **all** connections of one nginx worker, 512 unless it is set, 768 in Debian's file. A
request on its way takes two of them: one from the client, one to Gunicorn. So 512 connections carry 256 requests, and
what comes after that is dropped with `512 worker_connections are not enough` in nginx's error log. Clients that keep
their connection open without a request take one each, on top.

This rule compares the requests that nginx can carry (connections x workers / 2) with those that Gunicorn can work on
at once with all its workers. Below that Gunicorn can never be full, whatever autotune does.

Write `worker_connections 4096;`, and a limit of open files that fits (NGX603). A connection costs nginx about 250 bytes
until it is used.

With an event loop (gevent, asgi) it is a note: its own `worker_connections` are a limit that few apps ever reach.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import capacity
from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, Gunicorn
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX602", Severity.WARNING, "nginx has enough connections to fill Gunicorn", frozenset({Need.GUNICORN}))
AMPLE = 4096


def check(site: Site) -> Iterator[Finding]:
    """Too few connections for the requests that Gunicorn takes at once."""
    gunicorn, workers, block = site.gunicorn, site.nginx_workers, capacity.events(site)
    value = capacity.worker_connections(site)
    if gunicorn is None or workers is None or block is None or not value.text.isdigit() or not site.found:
        return
    carried, taken = int(value.text) * workers // 2, capacity.requests_at_once(gunicorn)
    if carried < taken:
        text, change = capacity.more_connections(site, max(AMPLE, _round(4 * taken // max(workers, 1))))
        yield at(
            RULE,
            value.directive or block,
            f"nginx carries {carried:,} requests at once ({value.text} connections x {workers} "
            f"worker{'s' * (workers != 1)} / 2), but Gunicorn takes {taken:,} ({capacity.words(gunicorn)})",
            severity=Severity.INFO if gunicorn.kind == CONCURRENT else None,
            nginx=value,
            gunicorn=gunicorn.shown(_setting(gunicorn)),
            fix=text,
            edits=change,
        )


def _setting(gunicorn: Gunicorn) -> str:
    return {"threaded": "threads", "single": "workers"}.get(gunicorn.kind, "worker_connections")


def _round(connections: int) -> int:
    """Up to a whole 1024."""
    return -(-connections // 1024) * 1024
