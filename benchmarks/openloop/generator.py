"""Sends each request at its moment, on plain non-blocking sockets under asyncio's loop.

No task and no stream for each request: those cost more than the request does, and a generator that is late
measures itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
from collections import deque
from collections.abc import Sequence

from benchmarks.openloop.connection import Connection, error_kind
from benchmarks.openloop.plan import Phase, RefusedError, Target, schedule
from benchmarks.openloop.results import NOT_SENT, Request, Run

MAX_BATCH = 64
MAX_TIMEOUT_SECONDS = 600
MAX_OPEN = 4000
SPARE_FILES = 64


async def run(
    target: Target,
    phases: Sequence[Phase],
    *,
    poisson: bool = False,
    seed: int = 1,
    keepalive: int = 0,
    method: str = "GET",
    body: bytes = b"",
    timeout_seconds: float = 30.0,
    max_open: int = MAX_OPEN,
) -> Run:
    """Send the whole schedule and wait for every answer or its timeout.

    `keepalive` is how many idle connections are kept for reuse; when none is idle a new one is opened. A request that
    would make more than `max_open` connections is not sent and counts as failed. Raises this process's soft limit of
    open files where that allows `max_open`, and keeps the garbage collector off meanwhile.
    """
    if method not in ("GET", "POST"):
        raise RefusedError(f"method = {method}, must be GET or POST")
    if not 0 < timeout_seconds <= MAX_TIMEOUT_SECONDS:
        raise RefusedError(f"timeout = {timeout_seconds:g}, must be more than 0 and at most {MAX_TIMEOUT_SECONDS} s")
    if not 1 <= max_open <= MAX_OPEN:
        raise RefusedError(f"max-open = {max_open}, must be from 1 to {MAX_OPEN}")
    if not 0 <= keepalive <= max_open:
        raise RefusedError(f"keepalive = {keepalive}, must be from 0 to max-open ({max_open})")
    moments = schedule(phases, poisson, seed)
    allow_open_files(max_open + SPARE_FILES)
    message = request_bytes(target, method, body, keepalive > 0)
    generator = Generator(target, message, moments, keepalive, timeout_seconds, max_open)
    collecting = gc.isenabled()
    gc.disable()  # a collection over many thousand records stops the clock-work for tens of milliseconds
    try:
        requests = await generator.go()
    finally:
        generator.close()
        if collecting:
            gc.enable()
    arrivals = f"poisson, seed {seed}" if poisson else "even"
    return Run(str(target), method, tuple(phases), arrivals, keepalive, tuple(requests))


def request_bytes(target: Target, method: str, body: bytes, keep: bool) -> bytes:
    """The request as sent, the same bytes each time."""
    lines = [f"{method} {target.path} HTTP/1.1", f"Host: {target.host_header}"]
    lines.append(f"Connection: {'keep-alive' if keep else 'close'}")
    if method == "POST":
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + (body if method == "POST" else b"")


def allow_open_files(wanted: int) -> None:
    """Raise the soft limit of open files to `wanted` if the hard limit lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != soft < wanted:
        best = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, best), hard))


class Generator:
    """The clock-work of one run: due requests out, answers in, the overdue given up."""

    def __init__(
        self, target: Target, message: bytes, moments: list[float], keepalive: int, timeout: float, max_open: int
    ) -> None:
        self.target, self.message, self.moments = target, message, moments
        self.keepalive, self.timeout, self.max_open = keepalive, timeout, max_open
        self.records: list[Request | None] = [None] * len(moments)
        self.open: set[Connection] = set()
        self.idle: list[Connection] = []
        self._due: asyncio.TimerHandle | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._next = 0
        self._left = len(moments)
        # All requests have the same patience, so they run out of it in the order sent: one queue, not a timer each.
        self._patience: deque[tuple[Connection, int]] = deque()

    async def go(self) -> list[Request]:
        """Run the schedule to its end; the records are in the schedule's order."""
        self.loop = asyncio.get_running_loop()
        self.finished: asyncio.Future[None] = self.loop.create_future()
        self.began = self.loop.time() + 0.05
        self._due = self.loop.call_at(self.began, self._send_due)
        self._sweep = self.loop.call_at(self.began, self._give_up_overdue)
        await self.finished
        return [record for record in self.records if record is not None]

    def close(self) -> None:
        """Close every connection and timer, also after a cancelled run."""
        for timer in (self._due, self._sweep):
            if timer is not None:
                timer.cancel()
        for connection in list(self.open):
            connection.close()

    def now(self) -> float:
        """Seconds since the start of the schedule."""
        return self.loop.time() - self.began

    def message_of(self, index: int) -> bytes:
        """What request number `index` sends: the same for all here."""
        return self.message

    def record(self, index: int, late: float, status: int | None, error: str | None) -> None:
        """Note how request number `index` ended, at this moment."""
        moment = self.moments[index]
        self.records[index] = Request(moment, late, self.now() - moment, status, error)
        self._left -= 1
        if not self._left and not self.finished.done():
            self.finished.set_result(None)

    def _send_due(self) -> None:
        # In batches, so that after a stall the answers are still read between the sends.
        for _ in range(MAX_BATCH):
            if self._next == len(self.moments):
                return
            if self.moments[self._next] > self.now():
                break
            self._send(self._next)
            self._next += 1
        if self._next < len(self.moments):
            self._due = self.loop.call_at(self.began + self.moments[self._next], self._send_due)

    def _send(self, index: int) -> None:
        late = self.now() - self.moments[index]
        connection = self._idle()
        if connection is None and len(self.open) >= self.max_open:
            self.record(index, late, None, NOT_SENT)
            return
        try:
            connection = connection or Connection(self)
        except OSError as error:
            self.record(index, late, None, error_kind(error))
            return
        self._patience.append((connection, index))
        connection.begin(index, late)

    def _idle(self) -> Connection | None:
        """A kept connection that the server has not closed meanwhile, as any careful client looks first."""
        while self.idle:
            connection = self.idle.pop()
            if connection.usable():
                return connection
            connection.close()
        return None

    def _give_up_overdue(self) -> None:
        now = self.now()
        while self._patience:
            connection, index = self._patience[0]
            if connection.index == index:
                if now - self.moments[index] < self.timeout:
                    break
                connection.finish(None, "timeout")
            self._patience.popleft()
        self._sweep = self.loop.call_later(0.02, self._give_up_overdue)
