"""Kept connections must end soon enough for new workers to get their share.

A kept connection stays with the worker that accepted it. When autotune adds a worker, nginx goes on using the
connections it has, and the new worker gets next to nothing until they end: after 1,000 requests or an hour
(`keepalive_requests`, `keepalive_time`). Measured from one worker to two, 16 clients: capacity rose after **79 s**
with nginx's defaults, after 25 s with `keepalive_time 30s`, 5 s with 10 s, 1 s with 2 s, and `keepalive_time 2s` cost
no throughput that could be seen. Until then growth looks useless, and the requests queue.

Set `keepalive_time 2s;` in the upstream. nginx before 1.19.10 does not know it: there `keepalive_requests 100;` (also
its default) does the same at high rates (4 s at 12 requests/s a connection, 80 s at one). A linter that wants at least
1,000 requests a connection means clients, not upstreams.

The rule fires only where autotune may change the number of workers. Silent at 10 s and below, and at 100 requests and
below.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import contract
from gunicorn_autotune.nginx.site import keepalive
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.site.routes import Upstream
from gunicorn_autotune.nginx.site.scope import Value
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits

RULE = Rule("NGX005", Severity.WARNING, "Kept connections end soon enough for new workers", frozenset({Need.GUNICORN}))
LONGEST_SECONDS, MOST_REQUESTS = 10, 100


def check(site: Site) -> Iterator[Finding]:
    """Each upstream whose connections outlive the growth of the pool."""
    gunicorn = site.gunicorn
    policy = gunicorn.policy if gunicorn is not None else None
    if gunicorn is None or policy is None or policy.get("mode") != "active":
        return
    least, most = int(policy.get("min_workers", 1)), gunicorn.most_workers
    for upstream, routes in contract.kept_upstreams(site) if most > least else ():
        life = _too_long(upstream, site.version)
        if life is not None:
            yield at(
                RULE,
                life.directive or upstream.block or routes[0].proxy_pass,
                f"a connection lives for {_shown(upstream, site.version)}: while autotune goes from {least} to "
                f"{most} workers, new ones wait that long for requests (79 s measured with 1 h and 1000)",
                nginx=life,
                gunicorn=_range(gunicorn),
                fix=f"{_line(life)}    # in upstream {upstream.name}",
                edits=_edits(upstream, life),
            )


def _too_long(upstream: Upstream, version: str) -> Value | None:
    """The value to change; None where connections end soon. Unreadable ones are not judged."""
    life, requests = keepalive.lifetime(upstream, version), keepalive.requests_each(upstream, version)
    if not requests.text.isdigit() or int(requests.text) <= MOST_REQUESTS:
        return None
    if not life.args:
        return requests
    return life if life.seconds is not None and life.seconds > LONGEST_SECONDS else None


def _shown(upstream: Upstream, version: str) -> str:
    life, requests = keepalive.lifetime(upstream, version), keepalive.requests_each(upstream, version)
    return f"{life.text} or {requests.text} requests" if life.args else f"{requests.text} requests"


def _range(gunicorn: Gunicorn) -> str:
    policy = gunicorn.policy or {}
    return f"autotune min_workers = {policy.get('min_workers')}, max_workers = {policy.get('max_workers')}"


def _line(life: Value) -> str:
    return f"{life.name} {MOST_REQUESTS};" if life.name == "keepalive_requests" else f"{life.name} 2s;"


def _edits(upstream: Upstream, life: Value) -> edits.Edits:
    if life.directive is not None:
        return edits.replaced(life.directive, _line(life))
    return edits.added_in(upstream.block, _line(life)) if upstream.block else ()
