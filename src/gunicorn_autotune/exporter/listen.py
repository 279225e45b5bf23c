"""The listening socket: TCP over IPv4 and IPv6, or a unix socket with its stale file."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from gunicorn_autotune.exporter.address import Address

BACKLOG = 64
PROBE_SECONDS = 1.0
UNIX_UMASK = 0o117
"""Leaves 0660: owner and group of the exporter's process."""


def listen(address: Address) -> socket.socket:
    """A socket listening at `address`; OSError when it is taken or not ours to take."""
    return _listen_unix(address.path) if address.path else _listen_tcp(address)


def _listen_tcp(address: Address) -> socket.socket:
    if not address.host and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("::", address.port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True, reuse_port=False
        )
    found = socket.getaddrinfo(address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, place = found[0]
    return socket.create_server(place[:2], family=family, backlog=BACKLOG)


def _listen_unix(path: str) -> socket.socket:
    remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(UNIX_UMASK)
    try:
        listener.bind(path)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def remove_stale(path: str) -> None:
    """Remove a socket file that nobody answers on; anything else that stands there is left alone."""
    try:
        if not stat.S_ISSOCK(Path(path).lstat().st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
        except OSError:
            return


def identity(listener: socket.socket) -> tuple[str, int] | None:
    """Path and inode of a unix listener's file, to remove later exactly that one; None for TCP."""
    if listener.family != socket.AF_UNIX:
        return None
    path = listener.getsockname()
    return path, Path(path).lstat().st_ino


def remove_own(known: tuple[str, int] | None) -> None:
    """Remove the socket file if it is still the one we made (a successor may have put its own there)."""
    if known is None:
        return
    path, inode = known
    try:
        if Path(path).lstat().st_ino == inode:
            Path(path).unlink()
    except OSError:
        return


def url(address: Address, listener: socket.socket, secure: bool) -> str:
    """Where a scrape goes, with the port the kernel really gave."""
    if address.path:
        return f"unix:{address.path}"
    host = address.host or "0.0.0.0"
    place = Address(host=host, port=listener.getsockname()[1])
    return f"{'https' if secure else 'http'}://{place}/metrics"
