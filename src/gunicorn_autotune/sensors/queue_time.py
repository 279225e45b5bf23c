"""How long a request waited before a worker saw it: from the proxy's X-Request-Start, or from the socket itself."""

from __future__ import annotations

import socket
import struct
import sys

LONGEST_QUEUE_SECONDS = 60.0
"""Older than that is a wrong clock, a forged header or a client long gone."""

CLOCK_TOLERANCE_SECONDS = 0.005
"""A start this little in the future is clock skew between proxy and server and counts as no wait at all."""

_LONGEST_HEADER = 32
_MILLISECONDS_FROM = 1e11
"""Now is 1.7e9 in seconds, 1.7e12 in ms, 1.7e15 in us, 1.7e18 in ns; each border lies in the year 5138."""
_MICROSECONDS_FROM = 1e14
_NANOSECONDS_FROM = 1e17
_TCP_INFO_BYTES = 56
_LAST_DATA_RECV_OFFSET = 52


def queue_seconds(header: str | bytes, now_unix_seconds: float) -> float | None:
    """Seconds from X-Request-Start to now, 0 to 60; None when the header cannot be believed (the caller counts drops).

    Nginx `t=${msec}` is `t=1700000000.123`; others send plain seconds, ms, us (Apache's `t=%t`) or ns: the size tells.
    Whatever the string, it never raises and looks at no more than 32 characters.
    """
    if len(header) > _LONGEST_HEADER:
        return None
    if isinstance(header, bytes):
        header = header.decode("latin-1")
    try:
        start = float(header.removeprefix("t="))
    except ValueError:
        return None
    if start >= _MILLISECONDS_FROM:
        start = _to_seconds(start)
    waited = now_unix_seconds - start
    # float() also takes nan, inf and digits of every script: the first two fail each comparison, the last isascii().
    if 0.0 <= waited <= LONGEST_QUEUE_SECONDS and header.isascii():
        return waited
    return 0.0 if -CLOCK_TOLERANCE_SECONDS <= waited < 0.0 and header.isascii() else None


def _to_seconds(start: float) -> float:
    if start < _MICROSECONDS_FROM:
        return start / 1e3
    return start / 1e6 if start < _NANOSECONDS_FROM else start / 1e9


def socket_queue_seconds(sock: socket.socket) -> float | None:
    """Seconds since the last data arrived on a just accepted TCP connection, 0 to 60; None where it cannot be told.

    TCP_INFO's tcpi_last_data_recv (include/uapi/linux/tcp.h), in steps of the kernel's tick, 1 to 10 ms. Counts from
    the handshake while no data came. The queue time only right after accept(), for a connection's first request.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except (OSError, AttributeError):
        return None
    if len(info) < _TCP_INFO_BYTES:
        return None
    (waited_ms,) = struct.unpack_from("=I", info, _LAST_DATA_RECV_OFFSET)
    waited: float = waited_ms / 1e3
    return waited if waited <= LONGEST_QUEUE_SECONDS else None
