"""The number of kept connections should fit the number of requests at once.

`keepalive N` is how many *idle* connections each nginx worker keeps; it limits nothing else. Too few, and at full load
most requests open a new connection all the same: with 32 clients `keepalive 4` and `8` gained 10 %, `16` and `32` the
whole 65 %. N times the nginx workers should reach the number of requests that Gunicorn serves at once, workers times
threads; twice that is comfortable.

Too many, and Gunicorn keeps fewer than nginx hopes: a gthread worker keeps `worker_connections - threads` and answers
the rest with `Connection: close`; an event loop counts idle connections against `worker_connections` and accepts no
new one when they are used up, which is the one case that hurts.

Only a note where `min_workers` are covered and `max_workers` are not. The rule does not judge whether an event loop has
too few (nobody knows how many of its 1,000 requests at once really come), nor anything that depends on an unknown
number of CPUs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from gunicorn_autotune.nginx.read.tree import Directive
from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared import contract
from gunicorn_autotune.nginx.site import keepalive
from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, THREADED, Gunicorn
from gunicorn_autotune.nginx.site.site import Site
from gunicorn_autotune.nginx.write import edits, fitting

RULE = Rule("NGX006", Severity.WARNING, "nginx keeps as many connections as Gunicorn uses", frozenset({Need.GUNICORN}))


def check(site: Site) -> Iterator[Finding]:
    """Each `keepalive N` too small for Gunicorn's threads or too large for its connections."""
    gunicorn = site.gunicorn
    for upstream, _ in contract.kept_upstreams(site) if gunicorn is not None else ():
        line = keepalive.declared_keepalive(upstream, site.version).directive
        if gunicorn is not None and line is not None:
            found = _too_small(site, gunicorn, line) or _too_large(site, gunicorn, line)
            if found is not None:
                yield found


def _too_small(site: Site, gunicorn: Gunicorn, line: Directive) -> Finding | None:
    connections, workers = int(line.args[0]), site.nginx_workers
    if workers is None or gunicorn.kind != THREADED:
        return None
    enough = min(fitting.MOST_KEPT, math.ceil(gunicorn.most_workers * gunicorn.requests_at_once / workers))
    if connections >= enough:
        return None
    at_once = gunicorn.most_workers * gunicorn.requests_at_once
    fewest = math.ceil(_fewest_workers(gunicorn) * gunicorn.requests_at_once / workers)
    return _finding(
        site,
        gunicorn,
        line,
        f"nginx keeps {connections * workers} connections ({connections} a worker), Gunicorn serves up to {at_once} "
        "requests at once: the others open one each",
        None if connections < fewest else Severity.INFO,
    )


def _too_large(site: Site, gunicorn: Gunicorn, line: Directive) -> Finding | None:
    workers = site.nginx_workers or 1
    each = gunicorn.get("worker_connections", 1000)
    # gthread keeps room for its threads, an event loop does not.
    room = _fewest_workers(gunicorn) * (each - gunicorn.requests_at_once if gunicorn.kind == THREADED else each)
    if gunicorn.kind not in (THREADED, CONCURRENT) or int(line.args[0]) * workers < room:
        return None
    loop = gunicorn.kind == CONCURRENT
    hurt = "then it accepts no others" if loop else "it closes what is over"
    return _finding(
        site,
        gunicorn,
        line,
        f"nginx may keep {int(line.args[0]) * workers} connections ({line.args[0]} a worker), Gunicorn {room}: {hurt}",
        None if loop else Severity.INFO,
    )


def _finding(site: Site, gunicorn: Gunicorn, line: Directive, message: str, severity: Severity | None) -> Finding:
    fix = " ".join(("keepalive", str(contract.fitting_connections(site, gunicorn)), *line.args[1:])) + ";"
    shown = gunicorn.shown("threads" if gunicorn.kind == THREADED else "worker_connections")
    value = f"{line.text} ({line.place}), {site.main.value('worker_processes')}"
    return at(
        RULE, line, message, severity=severity, nginx=value, gunicorn=shown, fix=fix, edits=edits.replaced(line, fix)
    )


def _fewest_workers(gunicorn: Gunicorn) -> int:
    policy = gunicorn.policy
    if policy is not None and policy.get("mode") == "active":
        return int(policy.get("min_workers", 1))
    return int(gunicorn.get("workers", 1))
