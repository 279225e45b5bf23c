"""A WSGI app that does as told: `/?c=0.02&w=0.1` uses 20 ms of its thread's CPU, then waits for 100 ms.

CPU is counted, not wall time: on a busy or a slow machine a request takes longer, but costs the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Compute, then wait; what is not given is 0."""
    told = parse_qs(environ["QUERY_STRING"])
    burn(float(told.get("c", ["0"])[0]))
    time.sleep(float(told.get("w", ["0"])[0]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]


def burn(cpu_seconds: float) -> None:
    """Use so much CPU in this thread."""
    until = time.thread_time() + cpu_seconds
    while time.thread_time() < until:
        pass
