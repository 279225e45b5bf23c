"""Who has an address that we wanted: another exporter of gunicorn-autotune tells, anybody else need not answer."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from gunicorn_autotune.exporter.address import Address
from gunicorn_autotune.model.printable import shown

ASK_SECONDS = 1.0
"""For all of it: whoever listens there may be anything."""
LARGEST_BYTES = 4 << 20
REQUEST = b"GET /status.json HTTP/1.0\r\n\r\n"
OURS = b"Server: gunicorn-autotune\r\n"
ANY_HOST = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


def document(address: Address) -> dict[str, Any] | None:
    """The status document of the exporter there; empty when it tells strangers nothing; None for anybody else."""
    head, _, body = _ask(address).partition(b"\r\n\r\n")
    if OURS not in head + b"\r\n":
        return None
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def who(address: Address) -> str:
    """`the gunicorn-autotune server with pid 123, 'name'`, as far as it tells; empty for anybody else."""
    told = document(address)
    if told is None:
        return ""
    server = told.get("server")
    if not isinstance(server, dict) or type(server.get("pid")) is not int:
        # One with a token, or one that is just starting.
        return "another gunicorn-autotune server"
    name = f", {shown(server['name'])}" if server.get("name") else ""
    return f"the gunicorn-autotune server with pid {server['pid']}{name}"


def _ask(address: Address) -> bytes:
    """What is answered within ASK_SECONDS."""
    until, answer = time.monotonic() + ASK_SECONDS, bytearray()
    try:
        with _connected(address) as connection:
            connection.sendall(REQUEST)
            while (left := until - time.monotonic()) > 0 and len(answer) < LARGEST_BYTES:
                connection.settimeout(left)
                chunk = connection.recv(65536)
                if not chunk:
                    break
                answer += chunk
    except OSError:
        pass
    return bytes(answer)


def _connected(address: Address) -> socket.socket:
    if not address.path:
        return socket.create_connection((ANY_HOST.get(address.host, address.host), address.port), ASK_SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(ASK_SECONDS)
        connection.connect(address.path)
    except OSError:
        connection.close()
        raise
    return connection
