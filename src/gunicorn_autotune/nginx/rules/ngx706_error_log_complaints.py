"""nginx's error log has no complaint about Gunicorn.

Each line of the error log that names an upstream is a request that got no proper answer, or got it late. The same few
sentences return, and each has its cause:

"timed out": the application is slower than nginx waits (NGX101, NGX105), or its queue is full (NGX106). "prematurely
closed", "reset by peer", "Broken pipe": Gunicorn let go of a connection that nginx still used (NGX001), or a worker
left (NGX007). "Connection refused", "No such file": nobody listens there (NGX201). "Permission denied": NGX202.
"Resource temporarily unavailable": the socket's queue is full (NGX205). "no live upstreams": NGX203. "Too many open
files": NGX603. "worker_connections are not enough": NGX602. "too large body": NGX403. "limiting": NGX404. "too big
header": a larger `proxy_buffer_size`, mostly because of large cookies. "buffered to a temporary file": larger
`proxy_buffers` or `client_body_buffer_size`, worth it only if it is the rule.

The end of the log is read, however old; the time of the last line is told. Ignore what is older than your last change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gunicorn_autotune.nginx.complaints import Complaint, complaint_of
from gunicorn_autotune.nginx.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.routes import Route
from gunicorn_autotune.nginx.site import Site

RULE = Rule("NGX706", Severity.WARNING, "The error log has no complaint about Gunicorn", frozenset({Need.LOG}))
_LONGEST = 140


def check(site: Site) -> Iterator[Finding]:
    """Each kind of complaint with how often it stands there, and when last."""
    lines = [line for line in site.host.error_log or () if not _of_others(site, line)]
    found: dict[Complaint, list[str]] = {}
    for line in lines:
        kind = complaint_of(line)
        if kind is not None:
            found.setdefault(kind, []).append(line)
    for kind, own in found.items():
        # Lines begin with their time, and several logs may have been read one after the other.
        last, often = max(own), f"{len(own)} of the last {len(lines)} lines" if len(lines) > 1 else "one line"
        yield at(
            RULE,
            site.root,
            f"error log: {often}{_when(last)}: {kind.cause}",
            severity=kind.severity,
            nginx=_shortened(last),
            fix=kind.fix,
        )


def _when(line: str) -> str:
    stamp = re.match(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", line)
    return f", the last at {stamp[0]}" if stamp else ""


def _shortened(line: str) -> str:
    """`upstream timed out (110: Connection timed out) while reading response header from upstream`."""
    said = re.sub(r"^\d{4}/\S+ \S+ \[\w+\] \S+ (\*\d+ )?", "", line).partition(", client:")[0]
    return said if len(said) <= _LONGEST else said[: _LONGEST - 3] + "..."


def _of_others(site: Site, line: str) -> bool:
    """Whether a line speaks of a server that is told apart from Gunicorn in the configuration."""
    asked = re.search(r'upstream: "[a-z]+://(?P<target>[^"]*)"', line)
    if asked is None or not site.found:
        return False
    ours, every = _targets(site.routes), _targets(site.every_route)
    # An upstream's line names the address, nginx's own verdict ("no live upstreams") the upstream.
    return any(asked["target"].startswith((f"{name}/", f"{name}:")) for name in every - ours)


def _targets(routes: tuple[Route, ...]) -> set[str]:
    return {name for one in routes for name in (one.upstream.name, *(peer.written for peer in one.upstream.peers))}
