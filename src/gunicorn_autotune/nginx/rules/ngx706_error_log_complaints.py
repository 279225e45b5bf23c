"""nginx's error log should have no complaint about Gunicorn.

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
from dataclasses import dataclass

from gunicorn_autotune.nginx.rules.finding import Finding, Need, Rule, Severity, at
from gunicorn_autotune.nginx.site.routes import Route
from gunicorn_autotune.nginx.site.site import Site

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


@dataclass(frozen=True, slots=True)
class Complaint:
    """One kind of lines."""

    words: str
    """Regular expression; of several that fit a line, the first one of COMPLAINTS counts."""
    cause: str
    fix: str
    severity: Severity | None = None


COMPLAINTS = (
    Complaint(
        r"no live upstreams",
        "nginx has banned every server of the upstream (NGX203, NGX204)",
        "server 127.0.0.1:8000 fail_timeout=0;    # in the upstream, by address",
    ),
    Complaint(
        r"upstream timed out .* while connecting",
        "Gunicorn's queue is full, or nobody answers at that address (NGX106, NGX205)",
        "gunicorn-autotune status    # is max_workers reached?",
    ),
    Complaint(
        r"upstream timed out",
        "the application is slower than nginx waits (NGX101, NGX105)",
        "proxy_read_timeout 35s;    # just above Gunicorn's timeout, and make the request faster",
    ),
    Complaint(
        r"prematurely closed|(recv|send|writev)\(\) failed \((104|32): [^)]*\) while [^,]*upstream",
        "Gunicorn closed a connection that nginx still used, or a worker died (NGX001, NGX007)",
        "keepalive_timeout 4s;    # in the upstream, and keepalive = 10 in Gunicorn's configuration file",
    ),
    Complaint(
        r"connect\(\).* failed \((111|2): ",
        "nobody listened there: another address, or Gunicorn was down (NGX201)",
        "gunicorn-autotune doctor    # and compare bind with the server line of the upstream",
    ),
    Complaint(
        r"connect\(\) to unix.* failed \(13: ",
        "nginx's user may not open the socket (NGX202)",
        "umask = 0o007    # in Gunicorn's configuration file, with nginx's user in the socket's group",
    ),
    Complaint(
        r"connect\(\) to unix.* failed \(11: ",
        "the socket's queue was full (NGX205)",
        "backlog = 2048    # in Gunicorn's configuration file, and net.core.somaxconn as high",
    ),
    Complaint(
        r"(?i)too many open files",
        "nginx ran out of file descriptors (NGX603)",
        "worker_rlimit_nofile 65535;    # outside of every block",
    ),
    Complaint(
        r"worker_connections are not enough",
        "nginx ran out of connections (NGX602)",
        "worker_connections 4096;    # in events",
    ),
    Complaint(
        r"client intended to send too large body",
        "uploads were refused with 413 (NGX403)",
        "client_max_body_size 20m;",
        Severity.INFO,
    ),
    Complaint(
        r"limiting (requests|connections)",
        "clients ran into your limits (NGX404)",
        "limit_req_status 429;    # and a larger burst, if they were right to ask",
        Severity.INFO,
    ),
    Complaint(
        r"upstream sent too big header",
        "the headers of an answer did not fit nginx's buffer: 502, usually because of cookies",
        "proxy_buffer_size 16k;\nproxy_buffers 8 16k;",
    ),
    Complaint(
        r"SSL_do_handshake\(\) failed.* upstream|upstream sent no valid HTTP",
        "nginx and Gunicorn speak different protocols (NGX208)",
        "proxy_pass https://...;    # where Gunicorn has a certfile, http:// where it has none",
    ),
    Complaint(
        r"is buffered to a temporary file",
        "answers or uploads were larger than nginx's buffers and were written to disk",
        "proxy_buffers 16 16k;    # for answers; client_body_buffer_size 128k; for uploads",
        Severity.INFO,
    ),
)


def complaint_of(line: str) -> Complaint | None:
    """The kind of a line; None for one that says nothing about Gunicorn or nginx's limits."""
    return next((one for one in COMPLAINTS if re.search(one.words, line)), None)
