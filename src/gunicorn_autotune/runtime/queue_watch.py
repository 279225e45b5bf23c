"""Inside a worker: how long did this request wait for us?

The stamp of a trusted proxy says it best (`X-Request-Start`); without one the kernel knows when the last bytes came in
(TCP_INFO.tcpi_last_data_recv), which covers the listen queue and the queue inside gthread alike.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from typing import Any

from gunicorn_autotune.scoreboard import recorder
from gunicorn_autotune.sensors import queue_time

SOCKET_SAMPLE_SECONDS = 0.01
"""Without a header the socket is asked at most this often: the system call costs as much as the rest together."""
HEADER = "X-REQUEST-START"
HEADERLESS_BEFORE_SAMPLING = 64
HEADERLESS_SAMPLE = 16
"""After that many requests without the header, only each 16th is searched for it."""
REMEMBERED_PEERS = 1024


def wsgi(worker: Any, row: memoryview) -> Callable[[Any], None]:
    """`observe(request)`: from the stamp of a trusted proxy, else from the socket now and then."""
    record = recorder.queue_recorder(row)
    trusted = trusted_peers(worker.cfg.forwarded_allow_ips)
    headerless = 0
    sampled_at = 0.0

    def observe(request: Any) -> None:
        nonlocal headerless, sampled_at
        headerless += 1
        if headerless <= HEADERLESS_BEFORE_SAMPLING or not headerless % HEADERLESS_SAMPLE:
            for name, value in request.headers:
                if name == HEADER and trusted(request.peer_addr):
                    headerless = 0
                    _record_stamp(record, value)
                    return
        now = time.monotonic()
        if now - sampled_at >= SOCKET_SAMPLE_SECONDS:
            sampled_at = now
            _record_socket(record, request)

    return observe


def trusted_peers(allowed: str | list[str]) -> Callable[[Any], bool]:
    """`trusted(peer)` by Gunicorn's own forwarded_allow_ips; a UNIX socket is trusted, as Gunicorn does.

    `peer` is an address pair, or anything else for a UNIX socket. Anybody else could send a stamp of his own.
    """
    entries = [entry.strip() for entry in (allowed.split(",") if isinstance(allowed, str) else map(str, allowed))]
    networks = [ipaddress.ip_network(entry, strict=False) for entry in entries if entry not in ("*", "")]
    answers: dict[str, bool] = {}

    def trusted(peer: Any) -> bool:
        if "*" in entries or not isinstance(peer, (tuple, list)):
            return True
        host = peer[0]
        if host not in answers:
            if len(answers) >= REMEMBERED_PEERS:
                answers.clear()
            answers[host] = _in_networks(host, networks)
        return answers[host]

    return trusted


def _in_networks(host: str, networks: list[Any]) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in networks)


def _record_stamp(record: Callable[[int | None], None], value: str | bytes) -> None:
    waited = queue_time.queue_seconds(value, time.time())
    record(None if waited is None else int(waited * 1e9))


def _record_socket(record: Callable[[int | None], None], request: Any) -> None:
    try:
        waited = queue_time.socket_queue_seconds(request.unreader.sock)
    except AttributeError:
        return  # an HTTP/2 stream has no socket of its own
    if waited is not None:
        record(int(waited * 1e9))


def asgi(worker: Any, row: memoryview) -> Callable[[Any], None]:
    """The same for an ASGI scope; its protocol has no socket we could ask."""
    record = recorder.queue_recorder(row)
    trusted = trusted_peers(worker.cfg.forwarded_allow_ips)

    def observe(scope: Any) -> None:
        for name, value in scope["headers"]:
            if name == b"x-request-start":
                if trusted(scope.get("client")):
                    _record_stamp(record, value)
                return

    return observe
