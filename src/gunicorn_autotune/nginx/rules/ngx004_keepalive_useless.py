"""A `keepalive` line should have a Gunicorn that keeps connections.

sync workers answer every request with `Connection: close`, and so does every worker class with `keepalive = 0`, and
gthread where `worker_connections` leaves no room beside `threads`. nginx obeys: the line costs nothing and gains
nothing (5,186 and 5,424 requests/s without and with it, 15,000 sockets in TIME_WAIT both times).

Nothing is broken. Delete the line, or use `worker_class = "gthread"` with 2 to 4 threads if the app is thread-safe:
then connections are kept, and NGX001 says which times fit. Ignore it if other servers behind the same upstream do keep
theirs.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import contract
from gunicorn_autotune.nginx.site import keepalive
from gunicorn_autotune.nginx.site.gunicorn import SYNC, Gunicorn
from gunicorn_autotune.nginx.site.routes import Upstream
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX004", Severity.INFO, "Gunicorn keeps connections if nginx is to", frozenset({Need.GUNICORN}))
FAMILY = ("keepalive", "keepalive_timeout", "keepalive_time", "keepalive_requests")


def check(site: Site) -> Iterator[Finding]:
    """Each `keepalive N` in front of a Gunicorn that closes every connection."""
    gunicorn = site.gunicorn
    if gunicorn is None or contract.keeps(gunicorn):
        return
    setting, why, cure = _why(gunicorn)
    for upstream in site.upstreams:
        line = upstream.value("keepalive")
        if line is not None and line.args[:1] != ("0",):
            yield at(
                RULE,
                line,
                f"{line.text} keeps nothing: {why}",
                nginx=keepalive.declared_keepalive(upstream, site.version),
                gunicorn=gunicorn.shown(setting),
                fix=f"# delete `{line.text};` or, in Gunicorn's configuration file:\n{cure}",
                edits=_edits(upstream),
            )


def _why(gunicorn: Gunicorn) -> tuple[str, str, str]:
    """Gunicorn's setting to blame, the reason, and the other cure."""
    if gunicorn.kind == SYNC:
        return "worker_class", "sync workers close every connection", 'worker_class = "gthread"\nthreads = 4'
    if gunicorn.get("keepalive", 2) <= 0:
        return "keepalive", "with keepalive = 0 Gunicorn closes every connection", "keepalive = 10"
    connections, threads = gunicorn.get("worker_connections", 1000), gunicorn.get("threads", 1)
    why = f"worker_connections {connections} leaves no connection to keep beside {threads} threads"
    return "worker_connections", why, "worker_connections = 1000"


def _edits(upstream: Upstream) -> edits.Edits:
    lines = (upstream.value(name) for name in FAMILY)
    return tuple(edit for line in lines if line is not None for edit in edits.removed(line))
