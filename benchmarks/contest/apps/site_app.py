"""The app that all contenders serve: `/?c=0.02&w=0.1` uses 20 ms of CPU, then waits for 100 ms.

A worker's memory grows with its first requests, by BALLAST_PIECES of a MiB, as copy-on-write and caches make it in a
small Django site. More by environment: SITE_IMPORT_CPU_SECONDS at import, SITE_LEAK_BYTES kept by each request,
SITE_POOL_PORT of a database whose queries are the waiting.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

PIECE_BYTES = 1 << 20
BALLAST_PIECES = 20
LEAK_BYTES = int(os.environ.get("SITE_LEAK_BYTES", "0"))
POOL_PORT = int(os.environ.get("SITE_POOL_PORT", "0"))
_ballast: list[bytes] = []
_leaked: list[bytes] = []
_local = threading.local()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Compute, then wait; what is not given is 0."""
    if len(_ballast) < BALLAST_PIECES:
        _ballast.append(filled(PIECE_BYTES))
    told = parse_qs(environ.get("QUERY_STRING", ""))
    burn(float(told.get("c", ["0"])[0]))
    wait(float(told.get("w", ["0"])[0]))
    if LEAK_BYTES:
        _leaked.append(filled(LEAK_BYTES))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]


def burn(cpu_seconds: float) -> None:
    """Use so much CPU in this thread."""
    until = time.thread_time() + cpu_seconds
    while time.thread_time() < until:
        pass


def wait(seconds: float) -> None:
    """Sleep, or ask the database for a query that takes so long once it has a connection."""
    if not POOL_PORT:
        time.sleep(seconds)
    elif seconds:
        database().sendall(b"%.6f\n" % seconds)
        if database().recv(1) != b".":
            raise RuntimeError("the database has gone")


def database() -> socket.socket:
    """This thread's connection."""
    if not hasattr(_local, "socket"):
        _local.socket = socket.create_connection(("127.0.0.1", POOL_PORT))
    return _local.socket


def filled(size: int) -> bytes:
    """Memory that is really there: zeroed pages would not be."""
    return b"x" * size


burn(float(os.environ.get("SITE_IMPORT_CPU_SECONDS", "0")))
