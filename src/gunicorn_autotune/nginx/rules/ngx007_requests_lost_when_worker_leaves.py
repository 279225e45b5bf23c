"""Behind kept connections a gthread worker must be able to leave without losing requests.

A worker leaves at every recycle, scale-down and reload. Before Gunicorn **27.0.1** a leaving gthread worker closes its
kept connections at once, and a request that nginx is just writing into one is lost. Bad POSTs of about 18,000 (16
clients, kept connections, 20 s):

- `max_requests`, 57 recycles: 145 on 23.0.0, 19 on 25.3.0, 25 on 26.2.0, 24 on 27.0.0, **0 on 27.0.1**
- 10 times one worker fewer: 45, 1, 7, 6, **0**; 6 reloads: 18 on 23.0.0, 1 on 25.3.0, **0 on 27.0.1**
- `max_requests` with no kept connections: 27 of 11,366 on 23.0.0, then 0

Recycles that autotune decides lose less: 4 of 4,800 requests in 8 recycles on 22.0.0, 2 on 23.0.0, 0 on 26.2.0 and 0
of 40,000 in 73 on 27.0.1. On 24.0.0 to 26.2.0 a worker with idle connections also takes 30 s (`graceful_timeout`) to
leave; 0.8 s if nginx's `keepalive_timeout` is 1 s.

Upgrade Gunicorn: no setting of nginx cures 22 and 23. From 25.3.0 on, giving up kept connections does, at the price
that NGX003 names. `proxy_next_upstream ... non_idempotent` hides the losses and may run a POST twice (NGX008).

An error where Gunicorn recycles by itself (`max_requests`), a warning where only autotune does, or where nothing is
kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import contract
from gunicorn_autotune.nginx.site import defaults, keepalive
from gunicorn_autotune.nginx.site.gunicorn import THREADED, Gunicorn
from gunicorn_autotune.nginx.site.routes import Upstream
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import fitting

RULE = Rule(
    "NGX007",
    Severity.ERROR,
    "No request is lost when a worker behind kept connections leaves",
    frozenset({Need.GUNICORN}),
)
SLOW_DRAINS = (24, 0, 0), (27, 0, 0)
"""From, and before: versions whose leaving worker waits for idle connections."""


def check(site: Site) -> Iterator[Finding]:
    """Each upstream in front of a Gunicorn that loses requests when it recycles."""
    gunicorn = site.gunicorn
    if gunicorn is None or gunicorn.kind != THREADED or not () < gunicorn.numbers < fitting.LINGERS:
        return
    tuned = gunicorn.policy is not None and gunicorn.policy.get("mode") == "active"
    by_itself = gunicorn.get("max_requests", 0) > 0 and not (tuned and _owned(gunicorn))
    if not tuned and not by_itself:
        return
    kept = {upstream.name for upstream, _ in contract.kept_upstreams(site)}
    for upstream in site.upstreams:
        if upstream.name in kept or gunicorn.numbers < fitting.CURABLE:
            yield _finding(site, gunicorn, upstream, upstream.name in kept, by_itself)


def _owned(gunicorn: Gunicorn) -> bool:
    return bool((gunicorn.policy or {}).get("max_requests_owner", "autotune") == "autotune")


def _finding(site: Site, gunicorn: Gunicorn, upstream: Upstream, kept: bool, by_itself: bool) -> Finding:
    declared = keepalive.declared_keepalive(upstream, site.version)
    certain = kept and by_itself and site.found
    who = "Gunicorn's own recycles (max_requests)" if by_itself else "recycles and scale-down"
    where = "on kept connections" if kept else "even on new connections"
    loses = "loses" if certain or gunicorn.numbers < fitting.CURABLE else "may lose"
    return at(
        RULE,
        (declared.directive if kept else None) or upstream.block or upstream.peers[0].directive,
        f"gthread of Gunicorn {gunicorn.version} {loses} requests {where} at {who}: {_measured(gunicorn, by_itself)}"
        f"{_drains(site, gunicorn, upstream) if kept else ''}",
        severity=None if certain else Severity.WARNING,
        nginx=declared if declared.args else f"no keepalive in upstream {upstream.name}",
        gunicorn=gunicorn.shown("max_requests") if by_itself else f"Gunicorn {gunicorn.version}, autotune active",
        fix=_fix(site, gunicorn, upstream),
    )


def _measured(gunicorn: Gunicorn, by_itself: bool) -> str:
    lossy = gunicorn.numbers < fitting.CURABLE
    if lossy and by_itself:
        return "145 of 18,000 POSTs in 57 recycles of 23.0.0, 27 of 11,366 with no kept connections"
    if lossy:
        return "2 to 4 of 4,800 requests in 8 recycles of 22.0.0 and 23.0.0, none on 27.0.1"
    if by_itself:
        return "19 to 25 of 18,000 POSTs in 57 recycles of 25.3.0 to 27.0.0, none on 27.0.1"
    return "1 to 7 of 18,000 POSTs when 10 workers left 25.3.0 to 27.0.0, none on 27.0.1"


def _drains(site: Site, gunicorn: Gunicorn, upstream: Upstream) -> str:
    idle = keepalive.idle_timeout(upstream, site.version)
    slow = SLOW_DRAINS[0] <= gunicorn.numbers < SLOW_DRAINS[1]
    if not slow or (idle.seconds is not None and idle.seconds <= 1):
        return ""
    return f"; and a worker takes up to graceful_timeout {gunicorn.get('graceful_timeout', 30)} s to leave"


def _fix(site: Site, gunicorn: Gunicorn, upstream: Upstream) -> str:
    upgrade = "pip install 'gunicorn>=27.0.1'"
    line = upstream.value("keepalive")
    by_default = site.numbers >= defaults.KEPT_BY_DEFAULT
    if gunicorn.numbers < fitting.CURABLE or (line is None and not by_default):
        return upgrade
    instead = "`keepalive 0;`" if by_default else f"no `{line.text if line else 'keepalive'};`"
    return f"{upgrade}\n# until then {instead} in upstream {upstream.name}"
