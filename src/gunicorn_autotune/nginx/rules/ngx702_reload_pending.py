"""The running nginx should have read the files as they are now.

nginx reads its configuration at start and at each reload. A change that was saved and never loaded waits for the next
restart, months later, when nobody remembers it; and every finding here is about the files, not about what runs.

`nginx -t && nginx -s reload` (or `systemctl reload nginx`) loads it without losing a request: the old workers finish
what they have begun. When `nginx -t` refuses, nothing has happened yet.

Told by the start of nginx's youngest worker, because workers are new after each reload, and by the files' time of last
change. So a worker that crashed and was replaced hides a change, and a file that was only touched looks changed: ignore
it then.
"""

from __future__ import annotations

from collections.abc import Iterator

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity
from gunicorn_autotune.nginx.site.site import Site

RULE = Rule("NGX702", Severity.INFO, "nginx runs with the files as they are now", frozenset({Need.NGINX}))
UNSURE_SECONDS = 2
"""A process's start is known to about a second."""


def check(site: Site) -> Iterator[Finding]:
    """The youngest of the files that changed after nginx read them."""
    started = site.host.nginx_started_unix_seconds
    if started is None:
        return
    later = {
        file: changed - started
        for file, changed in site.host.changed_unix_seconds.items()
        if changed > started + UNSURE_SECONDS
    }
    if later:
        file = max(later, key=lambda name: later[name])
        more = f", and {len(later) - 1} more" if len(later) > 1 else ""
        message = f"changed {_ago(later[file])} after nginx last read its configuration{more}: not in force yet"
        yield Finding(RULE, file, 1, message, fix="nginx -t && nginx -s reload")


def _ago(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} seconds"
