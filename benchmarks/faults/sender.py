"""The open-loop generator with GETs and POSTs mixed, numbered, and with a word now and then."""

from __future__ import annotations

import asyncio
import gc
import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.faults.arithmetic import is_post, rightly_answered
from benchmarks.faults.options import Tell
from benchmarks.openloop import Request, Target
from benchmarks.openloop.generator import MAX_OPEN, SPARE_FILES, Generator, allow_open_files

PATIENCE_SECONDS = 30.0
BODY = b"text=" + b"x" * 59
"""64 bytes."""
WORD_SECONDS = 20.0


class Sender(Generator):
    """Sends at `moments`, each request with its number; every `posts_every`th is a POST."""

    def __init__(
        self, target: Target, moments: Sequence[float], tell: Tell, *, kept: int = 0, posts_every: int = 0,
        paths: Sequence[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(target, b"", list(moments), kept, PATIENCE_SECONDS, MAX_OPEN)
        self.tell, self.posts_every = tell, posts_every
        self.paths = paths or (target.path,)
        self.bad = self.done = 0

    def message_of(self, index: int) -> bytes:
        """The pages in turn."""
        post = is_post(index, self.posts_every)
        head = (
            f"{'POST' if post else 'GET'} {self.paths[index % len(self.paths)]} HTTP/1.1\r\n"
            f"Host: {self.target.host_header}\r\nX-Number: {index}\r\n"
            f"Connection: {'keep-alive' if self.keepalive else 'close'}\r\n"
        )
        return f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY if post else f"{head}\r\n".encode()

    def record(self, index: int, late: float, status: int | None, error: str | None) -> None:
        """As Generator, and count for the words."""
        super().record(index, late, status, error)
        made = self.records[index]
        self.done += 1
        self.bad += made is not None and not rightly_answered(made)

    async def drive(self) -> tuple[Request, ...]:
        """Send everything and wait for every answer or the end of its patience."""
        allow_open_files(MAX_OPEN + SPARE_FILES)
        gc.disable()  # as benchmarks.openloop.run does: a collection would make the generator late
        words = asyncio.create_task(self._words())
        try:
            return tuple(await self.go())
        finally:
            words.cancel()
            self.close()
            gc.enable()

    async def _words(self) -> None:
        while True:
            await asyncio.sleep(WORD_SECONDS)
            self.tell(f"    {self.now():.0f} s: {self.done} of {len(self.moments)} ended, {self.bad} without a 2xx")


def seen_in(path: Path) -> Counter[int]:
    """How often each number reached the app."""
    data = path.read_bytes() if path.exists() else b""
    whole = len(data) - len(data) % 4
    return Counter(number for (number,) in struct.iter_unpack("<I", data[:whole]))
