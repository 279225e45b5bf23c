"""The same situations without a framework, for Gunicorn's asgi worker: `gunicorn -k asgi asgi:app`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from work import MAX_CPU_MS, MAX_IO_MS, BadParameterError, burn_cpu, whole_number

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer /, /io?ms= and /cpu?ms= in plain text."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        status, line = await answer(scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        body = b"" if scope["method"] == "HEAD" else f"{line}\n".encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(line.encode()) + 1).encode()),
            (b"x-worker-pid", str(os.getpid()).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def answer(method: str, path: str, query: str) -> tuple[int, str]:
    """The status and the one line for a request."""
    if method not in ("GET", "HEAD"):
        return 405, f"method = {method}, must be GET or HEAD"
    ms_text = parse_qs(query, keep_blank_values=True).get("ms", [None])[0]
    try:
        if path == "/":
            return 200, f"index: try /io?ms=100 and /cpu?ms=20; this is worker {os.getpid()}"
        if path == "/io":
            ms = whole_number("ms", ms_text, 100, 0, MAX_IO_MS)
            await asyncio.sleep(ms / 1000)
            return 200, f"io: waited {ms} ms in worker {os.getpid()}"
        if path == "/cpu":
            # On the event loop on purpose: every other request of this worker waits meanwhile.
            used_ms = burn_cpu(whole_number("ms", ms_text, 20, 0, MAX_CPU_MS))
            return 200, f"cpu: used {used_ms:.1f} ms of CPU time in worker {os.getpid()}"
    except BadParameterError as error:
        return 400, str(error)
    return 404, "there are /, /io and /cpu"


async def lifespan(receive: Receive, send: Send) -> None:
    """Nothing to start or stop; says so, as servers expect."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
