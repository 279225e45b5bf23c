"""Where each word of a row stands. Pure: names, offsets, sizes.

A row is ROW_WORDS unsigned 64-bit words, 64-byte aligned. Every word has one writer: the arbiter, or the worker that
holds the slot. The arbiter's words stand in memory of its own, which no worker has; a reader joins the two. Counters
are never reset: the next worker in the slot goes on where the last one stopped, so sums over slots never go down.
Between the reaping of one worker and the fork of the next the arbiter alone owns the row.

Times are CLOCK_MONOTONIC nanoseconds, which every process of a host shares (clock_gettime(2)).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from gunicorn_autotune.model.snapshot import DURATION_BOUNDS_SECONDS, QUEUE_TIME_BOUNDS_SECONDS
from gunicorn_autotune.model.status import WORKER_DOORS

WORD_BYTES = 8
LINE_WORDS = 8
NOT_READ = (1 << 64) - 1
"""Stands for a Missing reading in a word the arbiter writes."""

# Written by the arbiter, in its own memory.
OWN_WORDS = 16
"""How many; a worker's memory leaves the same room at the beginning of a row, so that a word has one number in both."""
PID = 0
SPAWNED_NS = 1
DRAINING = 2
CPU_NS = 3
"""CPU time of all processes that held the slot."""
RSS_BYTES = 4
USS_BYTES = 5
PSS_BYTES = 6
AGE = 7
LOST = 8
"""Requests that were running when their worker died: started, never finished."""
COMMAND = 9
"""Room for a word of command from arbiter to worker (an elastic worker will read it)."""
GRACE_SECONDS = 10
"""How long this worker may take to leave, where that is more than graceful_timeout; 0: it is not. For the worker to
read, so the one word that the arbiter writes into the worker's memory."""

# Written by the worker (its own cache lines, so that the two never share one).
CHANGED_NS = 16
IN_FLIGHT = 17
BUSY_NS = 18
"""Busy time so far: of finished requests, and for workers without cells the integral of IN_FLIGHT up to CHANGED_NS."""
OLDEST_NS = 19
"""Start of the longest running request of a worker without cells."""
READY_NS = 20
QUEUED = 21
EXIT = 22
"""0 while it runs, and when it ended without a word; else 1 + exit code below EXIT_CODE, and above it why it left."""
EXIT_CODE = 0x1FF
EXIT_NOTE_SHIFT = 9
LEFT_AS_TOLD, LEFT_FOR_SOURCE, LEFT_FOR_REQUESTS = 1, 2, 3
"""A signal told it to leave; its reloader saw changed code; it reached max_requests."""
RECORDS = 23
"""1 when the worker class tells us its requests."""
QUEUE_DROPPED = 24
QUEUE_NS = 25
WEBSOCKETS = 26
"""WebSockets open now (asgi)."""
LONG_REQUESTS = 27
"""Requests that have run for LONG_NS, as a worker without cells last counted them: once a second."""
ACCEPTED_NS = 28
"""When a worker of one request at a time accepted the connection it still has; 0: it has none."""
READING = 29
"""Threads of a worker that have had a connection for READING_NS, and no request on it yet (gthread)."""

READING_NS = 1_000_000_000
"""A head that is not there by then comes slowly, or never; a worker counts once a second."""
LONG_NS = 5_000_000_000
"""A request that has run this long is taken for one that goes on (a stream, a long poll): what an app answers is nearly
always answered by then, and what was not usually lasts as long again."""

CELLS = 32
CELL_COUNT = 32
"""Start stamps of running requests, one per thread of the worker; 0 when that thread is idle."""

QUEUE_BUCKETS = CELLS + CELL_COUNT
QUEUE_BUCKET_COUNT = len(QUEUE_TIME_BOUNDS_SECONDS) + 1
QUEUE_END = QUEUE_BUCKETS + QUEUE_BUCKET_COUNT

STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
DURATION_BUCKETS = QUEUE_END
DURATION_BUCKET_COUNT = len(DURATION_BOUNDS_SECONDS) + 1
DURATION_FIRSTS = tuple(DURATION_BUCKETS + index * DURATION_BUCKET_COUNT for index in range(len(STATUS_CLASSES)))
"""Where the buckets of each status class begin; all of them stand together, and their sum is the requests finished."""
DURATION_END = DURATION_BUCKETS + len(STATUS_CLASSES) * DURATION_BUCKET_COUNT
DURATION_SUMS = tuple(DURATION_END + index for index in range(len(STATUS_CLASSES)))
"""Sum of the durations of each status class, in nanoseconds."""

DOOR_ERRORS = DURATION_END + len(STATUS_CLASSES)
"""What raised in the worker, a word for each of WORKER_DOORS."""
DOOR_ERRORS_END = DOOR_ERRORS + len(WORKER_DOORS)

ROW_WORDS = -(-DOOR_ERRORS_END // LINE_WORDS) * LINE_WORDS
_BOUNDS = (0.0, *DURATION_BOUNDS_SECONDS, 2 * DURATION_BOUNDS_SECONDS[-1])
DURATION_MIDDLES_SECONDS = tuple((low + high) / 2 for low, high in pairwise(_BOUNDS))

DURATION_BOUNDS_NS = tuple(int(bound * 1e9) for bound in DURATION_BOUNDS_SECONDS)
QUEUE_BOUNDS_NS = tuple(int(bound * 1e9) for bound in QUEUE_TIME_BOUNDS_SECONDS)

# The arbiter's memory begins with a header of one cache line. Then its words by row, then two status buffers.
STATUS_ACTIVE = 1
STATUS_LENGTH = (2, 3)
STATUS_CRC = (4, 5)
SLOTS_USED = 6
"""Rows from 0 up to this one have held a worker at some time."""
HEADER_WORDS = 8
STATUS_BYTES = 1 << 20
"""A document of 8,000 listeners. What is never written takes no memory."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a board is: rows, and bytes for each of the two status buffers."""

    rows: int
    status_bytes: int

    @property
    def rows_bytes(self) -> int:
        """Size of the memory that workers write to."""
        return self.rows * ROW_WORDS * WORD_BYTES

    @property
    def own_bytes(self) -> int:
        """Size of the memory that only the arbiter writes to."""
        return self.status_offset(2)

    def row_offset(self, slot: int) -> int:
        """First word of a slot's row."""
        return self._known(slot) * ROW_WORDS

    def own_offset(self, slot: int) -> int:
        """First of the arbiter's words about a slot, in its own memory."""
        return HEADER_WORDS + self._known(slot) * OWN_WORDS

    def _known(self, slot: int) -> int:
        if not 0 <= slot < self.rows:
            raise IndexError(f"slot {slot}: the board has {self.rows} rows")
        return slot

    def status_offset(self, buffer: int) -> int:
        """First byte of a status buffer."""
        return (HEADER_WORDS + self.rows * OWN_WORDS) * WORD_BYTES + buffer * self.status_bytes


def shape_for(max_workers: int) -> Shape:
    """A board for `max_workers`: a HUP doubles the set for a moment, recycling adds a few."""
    return Shape(rows=2 * max_workers + 8, status_bytes=STATUS_BYTES)
