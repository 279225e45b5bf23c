"""Connections the kernel completed and no worker has accepted yet, for one listening socket of the arbiter."""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path

from gunicorn_autotune.model.readings import ListenerReading, Missing, Reading
from gunicorn_autotune.sensors.limits import expected_backlog_limit
from gunicorn_autotune.sensors.reuse_port import read_reuse_port, read_reuse_port_backlog
from gunicorn_autotune.sensors.sock_diag import Queue, read_unix_queue

__all__ = ["parse_tcp_info", "read_listener", "read_reuse_port", "read_reuse_port_backlog"]

_TCP_LISTEN = 10
_TCP_INFO_BYTES = 32
_UNACKED_OFFSET = 24


def read_listener(
    listener: socket.socket | int, address: str, gunicorn_backlog: int, proc: Path = Path("/proc")
) -> ListenerReading:
    """One listener, a socket or its descriptor; `address` is passed through. Never raises, not even for a closed one.

    TCP: TCP_INFO, where a listener's tcpi_unacked is the queue and tcpi_sacked its limit (net/ipv4/tcp.c,
    tcp_get_info). UNIX: netlink sock_diag. Under reuse_port the arbiter has no listener: see reuse_port.py.
    """
    queue = _read_queue(listener)
    if isinstance(queue, Missing):
        return ListenerReading(address, queue, expected_backlog_limit(gunicorn_backlog, proc))
    return ListenerReading(address, queue.backlog, queue.limit)


def parse_tcp_info(info: bytes) -> Reading[Queue]:
    """The accept queue from a listener's struct tcp_info (include/uapi/linux/tcp.h)."""
    if len(info) < _TCP_INFO_BYTES:
        return Missing(f"TCP_INFO: {len(info)} bytes, needs {_TCP_INFO_BYTES}")
    if info[0] != _TCP_LISTEN:
        # In any other state the same two fields count packets.
        return Missing(f"TCP_INFO: state {info[0]}, the socket does not listen")
    return Queue(*struct.unpack_from("=II", info, _UNACKED_OFFSET))


def _read_queue(listener: socket.socket | int) -> Reading[Queue]:
    if not sys.platform.startswith("linux"):
        return Missing(f"TCP_INFO and sock_diag: not on {sys.platform}")
    try:
        if not isinstance(listener, int):
            return _queue_of(listener)
        borrowed = socket.socket(fileno=listener)
        try:
            return _queue_of(borrowed)
        finally:
            borrowed.detach()
    except (OSError, ValueError) as error:
        return Missing(f"listener: {error}")


def _queue_of(listener: socket.socket) -> Reading[Queue]:
    # The kernel's word, not `listener.family`: Gunicorn wraps inherited sockets with a family it guessed.
    family = listener.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN)
    if family in (socket.AF_INET, socket.AF_INET6):
        return parse_tcp_info(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES))
    if family != socket.AF_UNIX:
        return Missing(f"listener: address family {family}")
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        # For a connected UNIX socket the same figure is bytes.
        return Missing("listener: SO_ACCEPTCONN is off, the socket does not listen")
    return read_unix_queue(os.fstat(listener.fileno()).st_ino)
