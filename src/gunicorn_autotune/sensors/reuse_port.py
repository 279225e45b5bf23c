"""The backlog under reuse_port: the arbiter holds no listener, each worker makes its own, and the port is their sum."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from gunicorn_autotune.model.readings import ListenerReading, Missing, Reading
from gunicorn_autotune.sensors.files import Absent, parse_count
from gunicorn_autotune.sensors.limits import expected_backlog_limit
from gunicorn_autotune.sensors.sock_diag import Queue, read_tcp_listeners

_LISTEN = "0A"


class Address(NamedTuple):
    """What to look for; `host` is None for a name, which then means any address."""

    families: tuple[int, ...]
    host: bytes | None
    port: int


class Row(NamedTuple):
    """One listening socket of /proc/net/tcp or tcp6; the file does not tell the limit of its queue."""

    host: bytes
    port: int
    backlog: int


def read_reuse_port_backlog(address: str | tuple[str, int], proc: Path = Path("/proc")) -> Reading[int]:
    """Connections waiting in all listening sockets of `address`; Missing if none listens.

    `address` is `127.0.0.1:8000`, `[::1]:8000` or a pair as in Gunicorn's `cfg.address`.
    """
    return read_reuse_port(address, 0, proc).backlog


def read_reuse_port(
    address: str | tuple[str, int], gunicorn_backlog: int, proc: Path = Path("/proc")
) -> ListenerReading:
    """The whole port as one listener: backlog and limit are sums over its sockets.

    Asks sock_diag, and where that is not to be had /proc/net/tcp{,6}, which does not tell limits.
    """
    name = "[{}]:{}".format(*address[:2]) if isinstance(address, tuple) else str(address)
    wanted = parse_address(name)
    if isinstance(wanted, Missing):
        return ListenerReading(name, wanted, wanted)
    queues = _ask_sock_diag(wanted)
    if isinstance(queues, Missing):
        return _look_in_proc(name, wanted, gunicorn_backlog, proc, queues)
    if not queues:
        return _nobody(name)
    return ListenerReading(name, sum(queue.backlog for queue in queues), sum(queue.limit for queue in queues))


def _nobody(name: str) -> ListenerReading:
    nobody = Missing(f"no socket listens on {name}")
    return ListenerReading(name, nobody, nobody)


def parse_address(address: str) -> Address | Missing:
    """An address as Gunicorn prints it, `http://` in front or not."""
    host, _, port_word = address.rpartition("://")[2].rpartition(":")
    port = parse_count(port_word)
    if port is None or not 0 < port < 65536:
        return Missing(f"address {address!r}: no TCP port")
    host = host.strip("[]").partition("%")[0]
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return Address((family,), socket.inet_pton(family, host), port)
        except (OSError, ValueError):
            continue
    return Address((socket.AF_INET, socket.AF_INET6), None, port)


def parse_listen_rows(text: str) -> Iterator[Row]:
    """Rows of state 0A: `sl local_address rem_address st tx_queue:rx_queue ...`, rx_queue being the accept queue."""
    for line in text.splitlines():
        fields = line.split(None, 5)
        if len(fields) < 5 or fields[3] != _LISTEN:
            continue
        host, _, port = fields[1].partition(":")
        try:
            yield Row(_host_bytes(host), int(port, 16), int(fields[4].partition(":")[2], 16))
        except ValueError:
            continue


def _host_bytes(printed: str) -> bytes:
    # Each 32-bit word is printed as a number of the host's own byte order: 0100007F is 127.0.0.1 on x86.
    words = bytes.fromhex(printed)
    if sys.byteorder == "big":
        return words
    return b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))


def _ask_sock_diag(wanted: Address) -> Reading[list[Queue]]:
    queues: list[Queue] = []
    for family in wanted.families:
        listeners = read_tcp_listeners(family, wanted.port)
        if isinstance(listeners, Missing):
            return listeners
        queues += [listener.queue for listener in listeners if wanted.host in (None, listener.host)]
    return queues


def _look_in_proc(
    name: str, wanted: Address, gunicorn_backlog: int, proc: Path, refused: Missing
) -> ListenerReading:  # fmt: skip
    backlogs: list[int] = []
    for family in wanted.families:
        text = _read_listening_part(f"{proc}/net/tcp6" if family == socket.AF_INET6 else f"{proc}/net/tcp")
        if isinstance(text, Missing) and not (isinstance(text, Absent) and wanted.host is None and backlogs):
            unread = Missing(f"{refused.why}; {text.why}")
            return ListenerReading(name, unread, unread)
        rows = () if isinstance(text, Missing) else parse_listen_rows(text)
        backlogs += [row.backlog for row in rows if row.port == wanted.port and wanted.host in (None, row.host)]
    if not backlogs:
        return _nobody(name)
    limit = expected_backlog_limit(gunicorn_backlog, proc)
    return ListenerReading(name, sum(backlogs), limit if isinstance(limit, Missing) else limit * len(backlogs))


def _read_listening_part(path: str) -> str | Missing:
    try:
        with open(path, encoding="latin-1") as file:
            # The kernel prints listeners first. Reading on would take 50 ms on a host with 50,000 connections.
            return file.readline() + "".join(takewhile(lambda line: line[:40].split()[3:4] == [_LISTEN], file))
    except FileNotFoundError as error:
        return Absent(f"{path}: {error.strerror}")
    except OSError as error:
        return Missing(f"{path}: {error.strerror}")
