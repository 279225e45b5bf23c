"""Gunicorn's `timeout` should not be 0.

With `timeout = 0` the arbiter watches no worker. One that hangs (a lock, a call that never returns, a C extension in
an endless loop) is never replaced: each takes one worker away, nginx answers 504 for whatever reaches it, and when the
last one hangs the site is down until somebody restarts it. `timeout` is also the only limit of a request that sync
workers have.

Set `timeout = 30`, or what the slowest request needs. For gthread and event loops it limits no request, it only tells
that the worker lives, so there is nothing to gain from 0. Platforms that advise 0 (Cloud Run) watch the process
themselves; behind nginx nobody does.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX107", Severity.WARNING, "Gunicorn replaces workers that hang", frozenset({Need.GUNICORN}))


def check(site: Site) -> Iterator[Finding]:
    """Once, at the first location that leads to Gunicorn."""
    gunicorn = site.gunicorn
    if gunicorn is None or gunicorn.get("timeout", 30) != 0 or not site.routes:
        return
    route = site.routes[0]
    yield at(
        RULE,
        route.proxy_pass,
        "with timeout = 0 a hung worker is never replaced, and nginx answers 504 to every request it gets",
        nginx=route.scope.value("proxy_read_timeout"),
        gunicorn=gunicorn.shown("timeout"),
        fix="timeout = 30    # in Gunicorn's configuration file",
    )
