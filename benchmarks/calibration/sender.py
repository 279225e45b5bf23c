"""The open-loop generator with a message of its own for every request: its work, and the stamp a proxy would send."""

from __future__ import annotations

import gc
import time

from benchmarks.calibration.cells import Plan
from benchmarks.openloop import Request, Target
from benchmarks.openloop.generator import MAX_OPEN, SPARE_FILES, Generator, allow_open_files

PATIENCE_SECONDS = 30.0


class Sender(Generator):
    """Sends a plan. The stamp, if any, says when the request left, so the server's queue times hold every request."""

    def __init__(
        self, port: int, plan: Plan, patience_seconds: float = PATIENCE_SECONDS, *, stamped: bool = True
    ) -> None:
        target = Target(("127.0.0.1", port), "/", f"127.0.0.1:{port}")
        super().__init__(target, b"", list(plan.moments), 0, patience_seconds, MAX_OPEN)
        self.work = plan.work
        self.stamped = stamped

    def message_of(self, index: int) -> bytes:
        """The request line tells the app what to do."""
        cpu, wait = self.work[index]
        stamp = f"X-Request-Start: t={time.time():.6f}\r\n" if self.stamped else ""
        return (
            f"GET /?c={cpu:.6f}&w={wait:.6f} HTTP/1.1\r\nHost: {self.target.host_header}\r\n"
            f"{stamp}Connection: close\r\n\r\n"
        ).encode()

    async def drive(self) -> tuple[Request, ...]:
        """Send everything and wait for every answer or the end of its patience."""
        allow_open_files(MAX_OPEN + SPARE_FILES)
        gc.disable()  # as benchmarks.openloop.run does: a collection would make the generator late
        try:
            return tuple(await self.go())
        finally:
            self.close()
            gc.enable()
