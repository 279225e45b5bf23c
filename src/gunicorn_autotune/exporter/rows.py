"""What the exporter is handed: plain values, and the small protocol that hands them over.

The scoreboard is a neighbour this room never sees; the runtime turns its words into these.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

from gunicorn_autotune.model.snapshot import (
    DURATION_BOUNDS_SECONDS,
    QUEUE_TIME_BOUNDS_SECONDS,
    WorkerState,
)
from gunicorn_autotune.model.status import WORKER_DOORS

STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")


@dataclass(frozen=True, slots=True)
class Row:
    """One slot. Counters cover every process that held it; `None` means missing, never zero."""

    slot: int
    pid: int = 0
    """0: no process holds the slot now."""
    state: WorkerState | None = None
    """None for an empty slot."""
    spawned: float = 0.0
    """Unix seconds at which the process was started."""
    requests: int | None = None
    """Requests finished; None when the worker class does not report its requests, as for the next five."""
    busy_seconds: float | None = None
    in_flight: int | None = None
    queued: int | None = None
    held: int | None = None
    """Long-lived connections: WebSockets, and requests that have run for 5 s."""
    oldest_request_seconds: float | None = None
    """Age of the longest running request; 0 when none runs."""
    cpu_seconds: float | None = None
    rss_bytes: int | None = None
    uss_bytes: int | None = None
    pss_bytes: int | None = None
    ready: bool = False


@dataclass(frozen=True, slots=True)
class Buckets:
    """A histogram as the scoreboard keeps it: counts per bucket, not cumulative, the last one above all bounds."""

    counts: tuple[int, ...]
    sum_seconds: float = 0.0


NO_DURATIONS = (Buckets((0,) * (len(DURATION_BOUNDS_SECONDS) + 1)),) * len(STATUS_CLASSES)
NO_QUEUE_TIMES = Buckets((0,) * (len(QUEUE_TIME_BOUNDS_SECONDS) + 1))


@dataclass(frozen=True, slots=True)
class BoardReading:
    """The whole scoreboard at one instant: its rows, and histograms summed over all slots."""

    rows: tuple[Row, ...] = ()
    """Slots never used may be left out or left in: they are not exported."""
    durations: tuple[Buckets, ...] = NO_DURATIONS
    """One per status class, 1xx to 5xx."""
    queue: Buckets = NO_QUEUE_TIMES
    queue_dropped: int = 0
    """Queue-time stamps that could not be believed."""
    door_errors: tuple[int, ...] = (0,) * len(WORKER_DOORS)
    """What raised in workers, by WORKER_DOORS."""


class Source(Protocol):
    """Where the figures come from. Both are called from several threads, once a scrape."""

    def status(self) -> dict[str, Any] | None:
        """The last status document (model/status.py), None before the first."""

    def rows(self) -> BoardReading:
        """The scoreboard now."""


def live(reading: BoardReading) -> tuple[Row, ...]:
    """The slots a process holds."""
    return tuple(row for row in reading.rows if row.pid)


def ever_used(row: Row) -> bool:
    """Whether a process holds or held the slot."""
    return bool(row.pid or row.requests or row.busy_seconds or row.cpu_seconds)


@dataclass(slots=True)
class Highest:
    """The most busy time seen per slot.

    A reader that comes between two stores of a worker sees one interval too little; a counter must not go down.
    """

    _seen: dict[int, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def settle(self, reading: BoardReading) -> BoardReading:
        """`reading` with every slot's busy time at least what an earlier call answered."""
        with self._lock:
            return dataclasses.replace(reading, rows=tuple(map(self._settled, reading.rows)))

    def _settled(self, row: Row) -> Row:
        if row.busy_seconds is None:
            return row
        before = self._seen.get(row.slot, 0.0)
        if row.busy_seconds < before:
            return dataclasses.replace(row, busy_seconds=before)
        self._seen[row.slot] = row.busy_seconds
        return row
