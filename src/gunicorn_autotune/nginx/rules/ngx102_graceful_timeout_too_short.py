"""A request that nginx waits for should not be cut off by `graceful_timeout`.

For gthread and event loops Gunicorn's `timeout` limits no request: it only tells a hung worker from a living one. An
app that took 6 s with `timeout 3` answered 200 at 6.0 s. So nginx's `proxy_read_timeout` is the only limit of a
request, and whatever outlasts `graceful_timeout` (30 s unless set) is cut off when its worker leaves: at every
recycle, scale-down and reload. The client gets 502, now and then, and only on the slow pages.

Raise `graceful_timeout` to what the slowest request may take (a drain may then take that long too), or lower
`proxy_read_timeout` to it, so that nobody is promised more than Gunicorn keeps.

Only a note where nothing but a reload makes workers leave. Silent about nginx's default of 60 s (NGX103 writes a time
that fits), about times that are too long by themselves (NGX104), and for websockets and streams in a location of their
own: those are cut off, and their clients connect again.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.rules.shared.places import long_lived, places
from gunicorn_autotune.nginx.rules.shared.timeouts import longest_seconds
from gunicorn_autotune.nginx.site.gunicorn import CONCURRENT, THREADED, Gunicorn
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule(
    "NGX102", Severity.WARNING, "graceful_timeout is as long as nginx waits for an answer", frozenset({Need.GUNICORN})
)


def check(site: Site) -> Iterator[Finding]:
    """Each read timeout that promises more than a leaving worker keeps."""
    gunicorn = site.gunicorn
    if gunicorn is None or gunicorn.kind not in (THREADED, CONCURRENT):
        return
    graceful = gunicorn.get("graceful_timeout", 30)
    for place in places(site, "proxy_read_timeout", [route for route in site.routes if not long_lived(route)]):
        waits = place.value.seconds
        chosen = place.value.directive is not None
        if not chosen or waits is None or not graceful < waits <= longest_seconds(site):
            continue
        yield at(
            RULE,
            place.directive,
            f"nginx waits {waits:g} s for an answer, but a worker that leaves cuts its requests off after {graceful} s",
            severity=None if _recycles(gunicorn) else Severity.INFO,
            nginx=place.value,
            gunicorn=gunicorn.shown("graceful_timeout"),
            fix=f"graceful_timeout = {waits:.0f}    # in Gunicorn's configuration file\n"
            f"# or, here: proxy_read_timeout {max(1, graceful)}s;",
        )


def _recycles(gunicorn: Gunicorn) -> bool:
    tuned = gunicorn.policy is not None and gunicorn.policy.get("mode") == "active"
    return tuned or gunicorn.get("max_requests", 0) > 0
