"""The demo's load: an open-loop run that can be watched while it lasts, and the two looks at the server beside it."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Sequence
from typing import Any

from benchmarks.openloop import Phase, Request, Run, Target, schedule
from benchmarks.openloop.generator import MAX_OPEN, SPARE_FILES, Generator, allow_open_files, request_bytes

STATUS_SECONDS = 1.0


class Load(Generator):
    """A run of new connections at an even pace; `fresh` holds the requests that ended since it was last emptied."""

    def __init__(self, target: Target, phases: Sequence[Phase], patience_seconds: float) -> None:
        message = request_bytes(target, "GET", b"", False)
        super().__init__(target, message, schedule(phases), 0, patience_seconds, MAX_OPEN)
        self.phases = tuple(phases)
        self.fresh: list[Request] = []

    def record(self, index: int, late: float, status: int | None, error: str | None) -> None:
        """As Generator, and keep the record for whoever watches."""
        super().record(index, late, status, error)
        made = self.records[index]
        if made is not None:
            self.fresh.append(made)

    async def drive(self) -> Run:
        """Send everything and wait for every answer or the end of its patience."""
        allow_open_files(MAX_OPEN + SPARE_FILES)
        gc.disable()  # as benchmarks.openloop.run does: a collection would make the generator late
        try:
            requests = await self.go()
        finally:
            self.close()
            gc.enable()
        return Run(str(self.target), "GET", self.phases, "even", 0, tuple(requests))

    @property
    def unanswered(self) -> int:
        """Requests that were sent and have no answer yet."""
        return len(self.open)


async def read_status(metrics_port: int) -> dict[str, Any] | None:
    """/status.json of the exporter; None when it does not answer within STATUS_SECONDS."""
    try:
        text = await asyncio.wait_for(_get(metrics_port, "/status.json"), STATUS_SECONDS)
        status, _, body = text.partition(b"\r\n\r\n")
        document: dict[str, Any] | None = json.loads(body) if b" 200 " in status[:16] else None
    except (OSError, ValueError, asyncio.TimeoutError):
        return None
    return document


async def _get(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return await reader.read()
    finally:
        writer.close()
