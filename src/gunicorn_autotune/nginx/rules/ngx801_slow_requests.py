"""Requests should be quick; if they are not, this rule says where their time goes.

Two sources tell it. The timing log (NGX705) has what nginx saw: the whole request, the connection to Gunicorn, the
answer. The running server has what the controller sees: how busy the workers are, and whether more of them helped.

**At the client:** the answer was there long before the client had it; Gunicorn can do nothing, compression and smaller
answers can (NGX506). **Queue:** requests wait for a free worker: more workers, if CPU and memory allow, else more
hosts. **CPU or memory:** the host is full. **Database:** more workers did not raise the throughput, so something behind
them is full: a connection pool, a lock, an API. Look there first, and do not add workers. **Application:** workers are
free and requests still take long: the code or the queries of those requests.

The rule fires where one request in a hundred takes half a second or longer, or the controller sees a limit. The log's
figures are of its last lines, the server's of this moment: ignore the finding if these are different hours. See
docs/how-it-decides.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gunicorn_autotune.nginx.read.timing import Timing
from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.site.gunicorn import Gunicorn
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX801", Severity.INFO, "Requests are quick, and nothing limits them", frozenset({Need.LIVE, Need.TIMING}))
SLOW_SECONDS = 0.5
"""p99 from here on is worth a word."""
FEWEST_REQUESTS = 100
"""Below, the 99th percentile is one request."""
_LIMITS = {
    "downstream": (
        "database: more workers did not answer more requests, so something behind them is full",
        "# a larger connection pool, a quicker query; no more workers until then",
    ),
    "workers": (
        "queue: requests wait for a free worker",
        "max_workers = {more}    # in install(), if the host has room",
    ),
    "listener": ("queue: requests wait in the kernel's queue", "backlog = 2048    # and net.core.somaxconn as high"),
    "cpu": ("CPU: the cores are full", "# less work a request, or another host: more workers would only wait"),
    "memory": (
        "memory: no further worker fits",
        "# smaller workers (preload_app, a leak?), more memory, or another host",
    ),
}
"""Verdict and remedy by model.decisions.Bottleneck."""


def check(site: Site) -> Iterator[Finding]:
    """The verdict, if there is anything to judge."""
    timing, gunicorn = site.host.timing, site.gunicorn
    if timing is None or gunicorn is None or gunicorn.status is None:
        return
    verdict = _verdict(timing, _limit(gunicorn.status))
    if verdict is None:
        return
    what, fix = verdict
    yield at(
        RULE,
        site.root,
        f"{what} (99 of 100 requests within {timing.request_p99_seconds:.3g} s for the client, "
        f"{timing.p99_seconds:.3g} s in Gunicorn, {timing.connect_p99_seconds:.3g} s to connect)",
        nginx=f"timing log, {timing.requests} requests, {timing.failed} failed",
        gunicorn=_live(gunicorn),
        fix=fix.format(more=2 * gunicorn.most_workers),
    )


def _verdict(timing: Timing, limit: str) -> tuple[str, str] | None:
    if limit in _LIMITS:
        return _LIMITS[limit]
    if timing.requests < FEWEST_REQUESTS:
        return None
    outside = timing.request_p99_seconds - timing.p99_seconds
    if timing.connect_p99_seconds >= SLOW_SECONDS:
        return _LIMITS["listener"]
    if timing.p99_seconds >= SLOW_SECONDS and timing.p99_seconds >= outside:
        return "application: workers are free, yet requests take long", (
            f"# half of them take {timing.p50_seconds:.3g} s: look for the others in the timing log, by their urt"
        )
    if timing.request_p99_seconds >= SLOW_SECONDS:
        return (
            "at the client: Gunicorn answers early, the client gets it late",
            "gzip on;    # and smaller answers: NGX506",
        )
    return None


def _live(gunicorn: Gunicorn) -> str:
    """`bottleneck = none, 40 % busy (running server)`."""
    status = gunicorn.status or {}
    facts = (status.get("decision") or {}).get("facts") or {}
    busy = facts.get("busy_share")
    share = f", {busy:.0%} busy" if isinstance(busy, (int, float)) else ""
    return f"bottleneck = {_limit(status)}{share} (running server)"


def _limit(status: Mapping[str, Any]) -> str:
    """What limits throughput; `?` where the server cannot tell."""
    limit = status.get("bottleneck")
    return limit if isinstance(limit, str) else "?"
