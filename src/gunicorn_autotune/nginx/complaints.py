"""What nginx's error log says about the servers behind it, sentence by sentence, and what is behind each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gunicorn_autotune.nginx.finding import Severity


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
        "nginx has put every server of the upstream aside (NGX203, NGX204)",
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
        "an answer's headers did not fit: 502, mostly because of cookies",
        "proxy_buffer_size 16k;\nproxy_buffers 8 16k;",
    ),
    Complaint(
        r"SSL_do_handshake\(\) failed.* upstream|upstream sent no valid HTTP",
        "nginx and Gunicorn speak different protocols (NGX208)",
        "proxy_pass https://...;    # where Gunicorn has a certfile, http:// where it has none",
    ),
    Complaint(
        r"is buffered to a temporary file",
        "answers or uploads were larger than nginx's buffers and went over the disk",
        "proxy_buffers 16 16k;    # for answers; client_body_buffer_size 128k; for uploads",
        Severity.INFO,
    ),
)


def complaint_of(line: str) -> Complaint | None:
    """The kind of a line; None for one that says nothing about Gunicorn or nginx's limits."""
    return next((one for one in COMPLAINTS if re.search(one.words, line)), None)
