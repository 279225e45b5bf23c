"""The mapping itself: made before the first fork, written in whole words, read by anyone.

Whole-word stores only: `struct.pack_into` writes zeros first and a reader may see them (12-18 % of reads when
measured); a store through `memoryview.cast("Q")` is one aligned 8-byte move.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from gunicorn_autotune.scoreboard import layout
from gunicorn_autotune.scoreboard.layout import BUSY_NS, CELLS, CHANGED_NS, IN_FLIGHT, Shape

STATUS_READ_ATTEMPTS = 50
CELLS_END = CELLS + layout.CELL_COUNT
CLEARED_WORDS = (
    *range(CELLS, CELLS_END),
    layout.CHANGED_NS,
    layout.IN_FLIGHT,
    layout.OLDEST_NS,
    layout.READY_NS,
    layout.QUEUED,
    layout.EXIT,
    layout.PID,
    layout.DRAINING,
    layout.COMMAND,
    layout.AGE,
    layout.SPAWNED_NS,
)


class Board:
    """A scoreboard over a shared file descriptor. `words` is the whole mapping as unsigned 64-bit words."""

    def __init__(self, fd: int, shape: Shape) -> None:
        self.fd = fd
        self.shape = shape
        self._mapping = mmap.mmap(fd, shape.total_bytes)
        self._bytes = memoryview(self._mapping)
        self.words = self._bytes[: layout.WORD_BYTES * (shape.total_bytes // layout.WORD_BYTES)].cast("Q")

    def row(self, slot: int) -> memoryview:
        """The words of one slot, writable."""
        first = self.shape.row_offset(slot)
        return self.words[first : first + layout.ROW_WORDS]

    def publish(self, status: bytes) -> bool:
        """Make `status` the document readers see, all or nothing. False when it does not fit."""
        if len(status) > self.shape.status_bytes:
            return False
        buffer = 1 - (self.words[layout.STATUS_ACTIVE] & 1)
        first = self.shape.status_offset(buffer)
        self._bytes[first : first + len(status)] = status
        self.words[layout.STATUS_LENGTH[buffer]] = len(status)
        self.words[layout.STATUS_CRC[buffer]] = zlib.crc32(status)
        self.words[layout.STATUS_ACTIVE] = buffer
        return True

    def status(self) -> bytes | None:
        """The last published document; None before the first. The checksum catches a buffer reused while we copied."""
        for _ in range(STATUS_READ_ATTEMPTS):
            buffer = self.words[layout.STATUS_ACTIVE] & 1
            length = self.words[layout.STATUS_LENGTH[buffer]]
            first = self.shape.status_offset(buffer)
            status = bytes(self._bytes[first : first + min(length, self.shape.status_bytes)])
            if status and zlib.crc32(status) == self.words[layout.STATUS_CRC[buffer]]:
                return status
        return None

    def close(self) -> None:
        """Unmap and close the descriptor; rows handed out must not be used any more."""
        self.words.release()
        self._bytes.release()
        self._mapping.close()
        os.close(self.fd)


def create(shape: Shape) -> Board:
    """A new board in anonymous memory (memfd_create(2); an unlinked temporary file where there is none)."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("gunicorn-autotune", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, shape.total_bytes)
    board = Board(fd, shape)
    board.words[layout.ROWS] = shape.rows
    return board


@dataclass(frozen=True, slots=True)
class Activity:
    """What one row says about the present."""

    in_flight: int
    busy_ns: int
    """Slot-nanoseconds spent on requests so far, running requests included; never above the truth.

    A reader that catches the worker between two stores sees too little (see recorder.py), so whoever keeps the
    figure keeps the largest one seen.
    """
    oldest_ns: int
    """Start of the longest running request; 0 when none runs."""


def activity(words: Sequence[int], now_ns: int) -> Activity:
    """In-flight, busy time and oldest request of a row, at `now_ns`."""
    starts = [start for start in words[CELLS:CELLS_END] if start]
    overlapping = words[IN_FLIGHT]
    if not starts and not overlapping:
        return Activity(0, words[BUSY_NS], 0)
    busy = words[BUSY_NS] + overlapping * max(0, now_ns - words[CHANGED_NS])
    busy += sum([now_ns - start for start in starts if start < now_ns])
    if overlapping:
        starts.append(words[layout.OLDEST_NS])
        return Activity(len(starts) - 1 + overlapping, busy, min(starts))
    return Activity(len(starts), busy, min(starts))


def queued(words: Sequence[int]) -> int | None:
    """Connections the worker accepted that wait for one of its threads; None when its pool does not tell."""
    return None if words[layout.QUEUED] == layout.NOT_READ else words[layout.QUEUED]


def finished(words: Sequence[int]) -> int:
    """Requests answered in the slot: the sum of all its duration buckets."""
    return sum(words[layout.DURATION_BUCKETS : layout.DURATION_END])


def service_ns(words: Sequence[int]) -> int:
    """Sum of the durations of all requests answered in the slot."""
    return sum(words[layout.DURATION_SUMS[0] : layout.DURATION_SUMS[-1] + 1])


def reclaim(row: memoryview, now_ns: int) -> None:
    """Settle the row of a reaped worker: what it was doing ends now, its counters stay.

    Requests that were running when it died count as started (LOST) and busy, never as finished.
    """
    last = activity(row.tolist(), now_ns)
    row[layout.LOST] += last.in_flight
    for word in CLEARED_WORDS:
        row[word] = 0
    row[BUSY_NS] = last.busy_ns
    for word in (layout.RSS_BYTES, layout.USS_BYTES, layout.PSS_BYTES):
        row[word] = layout.NOT_READ
