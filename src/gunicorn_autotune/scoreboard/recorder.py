"""The worker's pen: writes one row, less than a microsecond per request.

Two ways to say how busy the worker is, and a reader adds them up:

- one cell per thread holds the start stamp of the request it runs, 0 when idle (sync, gthread): one store to begin;
- three words hold the integral I of in-flight k up to the stamp c (gevent, asgi): now it is I + k*(now - c).

At the end of a request the cell is cleared before its time is added to I, and c, k, I are stored in this order. So a
reader that comes between two stores sees at most one interval too little, never too much, and no version word is
needed: it keeps the largest figure it has seen. (x86-64 keeps the order of stores; a CPU that does not may show the
interval early, with the same bound.)

The worker keeps the running values itself and only stores them: a store costs a quarter of a read-modify-write.
All times are monotonic nanoseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

# Bound here, before gevent may patch the module: a greenlet never waits on this lock.
from threading import Lock, get_ident
from time import monotonic_ns
from typing import Any

from gunicorn_autotune.scoreboard import layout
from gunicorn_autotune.scoreboard.layout import (
    BUSY_NS,
    CELL_COUNT,
    CELLS,
    CHANGED_NS,
    DURATION_BOUNDS_NS,
    DURATION_FIRSTS,
    DURATION_SUMS,
    IN_FLIGHT,
    LONG_NS,
    LONG_REQUESTS,
    OLDEST_NS,
    QUEUE_BOUNDS_NS,
    QUEUE_BUCKETS,
    QUEUE_DROPPED,
    QUEUE_NS,
)

_CLASS_BY_STATUS = [min(max(code // 100, 1), 5) - 1 for code in range(1000)]
PLACES_BY_STATUS = tuple((DURATION_FIRSTS[index], DURATION_SUMS[index]) for index in _CLASS_BY_STATUS)
"""First bucket and sum of the histogram that a status code belongs to."""
PLACES_OF_5XX = PLACES_BY_STATUS[500]
FIRST_BOUND_NS = DURATION_BOUNDS_NS[0]
"""Up to here the bucket is the first one, without a search: the shortest requests feel the cost most."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """The two calls of a request, in the shape of Gunicorn's hooks so that no call stands in between.

    `begin(worker, request)` before handling, `end(worker, request, environ, response)` after; only the identity of
    `request` and `response.status_code` are used. No response, or none with a status, counts as 5xx.
    """

    begin: Callable[[Any, Any], None]
    end: Callable[[Any, Any, Any, Any], None]
    count_long: Callable[[], None] | None = None
    """Once a second: say how many requests have run for LONG_NS. None where cells hold the starts: a reader counts."""


def _adder(row: memoryview) -> Callable[[int, Any], None]:
    """`add(duration_ns, response)`: count a finished request in the histogram of its status class."""
    durations = row.tolist()

    def add(duration: int, response: Any) -> None:
        try:
            first, total = PLACES_BY_STATUS[response.status_code]
        except (AttributeError, IndexError, TypeError):
            first, total = PLACES_OF_5XX
        bucket = first + bisect_left(DURATION_BOUNDS_NS, duration)
        durations[bucket] = row[bucket] = durations[bucket] + 1
        durations[total] = row[total] = durations[total] + duration

    return add


def single(row: memoryview, clock: Callable[[], int] = monotonic_ns) -> Recorder:
    """For a worker that handles one request at a time (sync).

    Written out in one piece: a call costs a tenth of the whole, and so does a look at the row that a variable saves.
    """
    durations = row.tolist()
    busy_ns = row[BUSY_NS]
    start_ns = 0

    def begin(_worker: Any, _request: Any) -> None:
        nonlocal start_ns
        start_ns = row[CELLS] = clock()

    def end(_worker: Any, _request: Any, _environ: Any, response: Any) -> None:
        nonlocal busy_ns, start_ns
        if start_ns:
            duration = clock() - start_ns
            start_ns = row[CELLS] = 0
            busy_ns = row[BUSY_NS] = busy_ns + duration
            try:
                bucket, total = PLACES_BY_STATUS[response.status_code]
            except (AttributeError, IndexError, TypeError):
                bucket, total = PLACES_OF_5XX
            if duration > FIRST_BOUND_NS:
                bucket += bisect_left(DURATION_BOUNDS_NS, duration)
            durations[bucket] = row[bucket] = durations[bucket] + 1
            durations[total] = row[total] = durations[total] + duration

    return Recorder(begin, end)


def threaded(row: memoryview, clock: Callable[[], int] = monotonic_ns) -> Recorder:
    """For a worker with up to CELL_COUNT threads, one request each (gthread): a cell per thread, a lock at the end."""
    durations = row.tolist()
    busy_ns = row[BUSY_NS]
    lock = Lock()
    free_cells = list(range(CELLS + CELL_COUNT - 1, CELLS - 1, -1))
    # By thread: its cell and the start of the request it runs. A dict beats threading.local by a factor of two.
    threads: dict[int, list[int]] = {}

    def begin(_worker: Any, _request: Any) -> None:
        thread = get_ident()
        try:
            mine = threads[thread]
        except KeyError:
            # A pool of the user's own may have more threads than cells: those go unmeasured.
            if not free_cells:
                return
            mine = threads[thread] = [free_cells.pop(), 0]
        mine[1] = row[mine[0]] = clock()

    def end(_worker: Any, _request: Any, _environ: Any, response: Any) -> None:
        nonlocal busy_ns
        mine = threads.get(get_ident())
        if mine and mine[1]:
            duration = clock() - mine[1]
            mine[1] = row[mine[0]] = 0
            try:
                bucket, total = PLACES_BY_STATUS[response.status_code]
            except (AttributeError, IndexError, TypeError):
                bucket, total = PLACES_OF_5XX
            if duration > FIRST_BOUND_NS:
                bucket += bisect_left(DURATION_BOUNDS_NS, duration)
            with lock:
                busy_ns = row[BUSY_NS] = busy_ns + duration
                durations[bucket] = row[bucket] = durations[bucket] + 1
                durations[total] = row[total] = durations[total] + duration

    return Recorder(begin, end)


def overlapping(row: memoryview, clock: Callable[[], int] = monotonic_ns) -> Recorder:
    """For a worker whose requests overlap within one thread (gevent, asgi): nothing yields between the stores."""
    add = _adder(row)
    busy_ns, changed_ns = row[BUSY_NS], 0
    running: dict[int, int] = {}

    def change(step: int) -> int:
        """Move the integral up to now and in-flight by `step`; returns now."""
        nonlocal busy_ns, changed_ns
        now_ns = row[CHANGED_NS] = clock()
        count = len(running)
        row[IN_FLIGHT] = count + step
        if count:
            busy_ns = row[BUSY_NS] = busy_ns + count * (now_ns - changed_ns)
        changed_ns = now_ns
        return now_ns

    def begin(_worker: Any, request: Any) -> None:
        now_ns = change(+1)
        if not running:
            row[OLDEST_NS] = now_ns
        running[id(request)] = now_ns

    def end(_worker: Any, request: Any, _environ: Any, response: Any) -> None:
        if id(request) in running:
            now_ns = change(-1)
            add(now_ns - running.pop(id(request)), response)
            if running:
                row[OLDEST_NS] = next(iter(running.values()))

    def count_long() -> None:
        started_before, count = clock() - LONG_NS, 0
        for start_ns in running.values():  # the oldest first
            if start_ns > started_before:
                break
            count += 1
        row[LONG_REQUESTS] = count

    return Recorder(begin, end, count_long)


def locked(recorder: Recorder) -> Recorder:
    """The same from many threads (gthread with more threads than cells)."""
    lock, count = Lock(), recorder.count_long

    def begin(worker: Any, request: Any) -> None:
        with lock:
            recorder.begin(worker, request)

    def end(worker: Any, request: Any, environ: Any, response: Any) -> None:
        with lock:
            recorder.end(worker, request, environ, response)

    def count_long() -> None:
        if count is not None:
            with lock:
                count()

    return Recorder(begin, end, count_long)


def queue_recorder(row: memoryview) -> Callable[[int | None], None]:
    """`record(queue_ns)`: a request waited this long for a worker; None when its stamp could not be believed."""
    words, lock = row.tolist(), Lock()

    def add(word: int, more: int) -> None:
        words[word] = row[word] = words[word] + more

    def record(queue_ns: int | None) -> None:
        with lock:
            if queue_ns is None:
                add(QUEUE_DROPPED, 1)
                return
            add(QUEUE_BUCKETS + bisect_left(QUEUE_BOUNDS_NS, queue_ns), 1)
            add(QUEUE_NS, queue_ns)

    return record


def mark_ready(row: memoryview, now_ns: int) -> None:
    """The worker can take requests from now on."""
    row[layout.READY_NS] = now_ns


def mark_exit(row: memoryview, code: int, note: int = 0) -> None:
    """The worker leaves by itself with this exit code, and for which reason of layout.LEFT_*."""
    row[layout.EXIT] = 1 + (code & 0xFF) | note << layout.EXIT_NOTE_SHIFT
