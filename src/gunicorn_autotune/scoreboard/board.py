"""The mapping itself: made before the first fork, written in whole words, read by anyone.

There are two. Every worker writes its row of the first, and so may the app, which lives in the same process: what
stands there is only believed as far as it can be true (belief.py). The second is the arbiter's own: its words about
each slot and the status document. A process that is forked from the arbiter loses it in the same moment.

Whole-word stores only: `struct.pack_into` writes zeros first and a reader may see them (12-18 % of reads when
measured); a store through `memoryview.cast("Q")` is one aligned 8-byte move.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import weakref
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from gunicorn_autotune.scoreboard import layout, memory
from gunicorn_autotune.scoreboard.layout import BUSY_NS, CELLS, CHANGED_NS, IN_FLIGHT, OWN_WORDS, Shape

STATUS_READ_ATTEMPTS = 50
LARGEST_WORD = (1 << 64) - 1
CELLS_END = CELLS + layout.CELL_COUNT
PRESENT_WORDS = (
    *range(CELLS, CELLS_END),
    layout.CHANGED_NS,
    layout.IN_FLIGHT,
    layout.OLDEST_NS,
    layout.READY_NS,
    layout.QUEUED,
    layout.EXIT,
    layout.WEBSOCKETS,
    layout.LONG_REQUESTS,
    layout.ACCEPTED_NS,
    layout.READING,
)
"""What a worker says of the present moment; the rest of its words are counters."""
CLEARED_WORDS = (layout.PID, layout.DRAINING, layout.COMMAND, layout.AGE, layout.SPAWNED_NS)
"""The arbiter's words that end with a worker."""


class Board:
    """A scoreboard over two shared descriptors: of the rows, and of what is the arbiter's own."""

    def __init__(self, fds: tuple[int, int], shape: Shape, writable: bool = True) -> None:
        self.fds = fds
        self.shape = shape
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        self._rows_mapping = mmap.mmap(fds[0], shape.rows_bytes, access=access)
        self._own_mapping = mmap.mmap(fds[1], shape.own_bytes, access=access)
        self._rows = memoryview(self._rows_mapping).cast("Q")
        self._own_bytes = memoryview(self._own_mapping)
        words = shape.own_bytes // layout.WORD_BYTES
        self._own = self._own_bytes[: layout.WORD_BYTES * words].cast("Q")

    def row(self, slot: int) -> memoryview:
        """The words of one slot that its worker writes; the first OWN_WORDS of them mean nothing."""
        first = self.shape.row_offset(slot)
        return self._rows[first : first + layout.ROW_WORDS]

    def words(self, slot: int) -> list[int]:
        """All words of one slot as they are now: the arbiter's and the worker's, joined."""
        return self.noted_all(slot) + memoryview(self.written(slot)).cast("Q").tolist()

    def written(self, slot: int) -> bytes:
        """The worker's words of one slot as they are now, from OWN_WORDS on."""
        first = self.shape.row_offset(slot)
        return self._rows[first + OWN_WORDS : first + layout.ROW_WORDS].tobytes()

    def noted_all(self, slot: int) -> list[int]:
        """The arbiter's words about one slot: the first OWN_WORDS of its row."""
        first = self.shape.own_offset(slot)
        return self._own[first : first + OWN_WORDS].tolist()

    def noted(self, slot: int, word: int) -> int:
        """One of the arbiter's words about a slot."""
        return self._own[self.shape.own_offset(slot) + word]

    def note(self, slot: int, word: int, value: int) -> None:
        """Write one of the arbiter's words about a slot; what does not fit into a word ends at its bound."""
        self._own[self.shape.own_offset(slot) + word] = min(max(0, value), LARGEST_WORD)

    @property
    def slots_used(self) -> int:
        """Rows from 0 up to this one have held a worker at some time."""
        return min(self._own[layout.SLOTS_USED], self.shape.rows)

    @slots_used.setter
    def slots_used(self, count: int) -> None:
        self._own[layout.SLOTS_USED] = count

    def publish(self, status: bytes) -> bool:
        """Make `status` the document readers see, all or nothing. False when it does not fit."""
        if len(status) > self.shape.status_bytes:
            return False
        buffer = 1 - (self._own[layout.STATUS_ACTIVE] & 1)
        first = self.shape.status_offset(buffer)
        self._own_bytes[first : first + len(status)] = status
        self._own[layout.STATUS_LENGTH[buffer]] = len(status)
        self._own[layout.STATUS_CRC[buffer]] = zlib.crc32(status)
        self._own[layout.STATUS_ACTIVE] = buffer
        return True

    def status(self) -> bytes | None:
        """The last published document; None before the first. The checksum catches a buffer reused while we copied."""
        for _ in range(STATUS_READ_ATTEMPTS):
            buffer = self._own[layout.STATUS_ACTIVE] & 1
            length = self._own[layout.STATUS_LENGTH[buffer]]
            first = self.shape.status_offset(buffer)
            status = bytes(self._own_bytes[first : first + min(length, self.shape.status_bytes)])
            if status and zlib.crc32(status) == self._own[layout.STATUS_CRC[buffer]]:
                return status
        return None

    def leave(self) -> None:
        """In a process forked from the arbiter: drop what is the arbiter's, and both descriptors. The rows stay."""
        for view in (self._own, self._own_bytes):
            view.release()
        self._own_mapping.close()
        for fd in self.fds:
            with contextlib.suppress(OSError):
                os.close(fd)
        self.fds = (-1, -1)

    def close(self) -> None:
        """Unmap and close all; rows handed out must not be used any more."""
        self.leave()
        self._rows.release()
        self._rows_mapping.close()


_created: weakref.WeakSet[Board] = weakref.WeakSet()


def _leave_all() -> None:
    for board in list(_created):
        # A slice of it that another thread was reading in the moment of the fork keeps it mapped.
        with contextlib.suppress(BufferError):
            board.leave()


# Every child of the arbiter, whoever forks it: a worker, Gunicorn's dirty arbiter, a process of a preloaded app.
os.register_at_fork(after_in_child=_leave_all)


def create(shape: Shape) -> Board:
    """A new board in memory that only this process and those it hands it to know of."""
    board = Board((memory.create(shape.rows_bytes), memory.create(shape.own_bytes)), shape)
    _created.add(board)
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


def held(words: Sequence[int], now: Activity, now_ns: int) -> int:
    """Long-lived connections of a row: WebSockets, and requests that have run for LONG_NS."""
    started_before = now_ns - layout.LONG_NS
    if not now.oldest_ns or now.oldest_ns > started_before:
        return words[layout.WEBSOCKETS]
    in_cells = len([start for start in words[CELLS:CELLS_END] if 0 < start <= started_before])
    # The worker counts once a second; that one of them is long already shows in the row.
    overlapping = min(words[IN_FLIGHT], max(words[layout.LONG_REQUESTS], not in_cells))
    return words[layout.WEBSOCKETS] + in_cells + overlapping


def silent_ns(words: Sequence[int], now: Activity, now_ns: int) -> int:
    """How long a worker of one request at a time has had a connection on which no request runs; 0: it has none.

    A client that does not send its request, or does not take leave after the answer, holds the only slot.
    """
    accepted_ns = words[layout.ACCEPTED_NS]
    return max(1, now_ns - accepted_ns) if accepted_ns and not now.in_flight else 0


def silent(words: Sequence[int], now: Activity, now_ns: int) -> int:
    """Slots that connections without a request hold now."""
    return words[layout.READING] + (silent_ns(words, now, now_ns) > 0)


def finished(words: Sequence[int]) -> int:
    """Requests answered in the slot: the sum of all its duration buckets."""
    return sum(words[layout.DURATION_BUCKETS : layout.DURATION_END])


def service_ns(words: Sequence[int]) -> int:
    """Sum of the durations of all requests answered in the slot."""
    return sum(words[layout.DURATION_SUMS[0] : layout.DURATION_SUMS[-1] + 1])


def reclaim(board: Board, slot: int, words: Sequence[int], now_ns: int) -> None:
    """Settle the row of a reaped worker that ended with `words`: what it was doing ends now, its counters stay.

    Requests that were running when it died count as started (LOST) and busy, never as finished.
    """
    last = activity(words, now_ns)
    row = board.row(slot)
    if row[OWN_WORDS:].tolist() != words[OWN_WORDS:]:
        # What stood there could not be true: its next worker goes on from the last that could.
        row[OWN_WORDS:] = memoryview(array("Q", words[OWN_WORDS:]))
    board.note(slot, layout.LOST, board.noted(slot, layout.LOST) + last.in_flight)
    for word in PRESENT_WORDS:
        row[word] = 0
    row[BUSY_NS], row[layout.GRACE_SECONDS] = last.busy_ns, 0
    for word in CLEARED_WORDS:
        board.note(slot, word, 0)
    for word in (layout.RSS_BYTES, layout.USS_BYTES, layout.PSS_BYTES):
        board.note(slot, word, layout.NOT_READ)
