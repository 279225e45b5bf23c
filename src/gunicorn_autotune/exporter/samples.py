"""The value of every declared metric, read out of one status document and one board reading. Pure.

A value that is missing or unlimited yields no sample. Nothing here may raise on a document of another version: what
is not there is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gunicorn_autotune.exporter import metrics
from gunicorn_autotune.exporter.rows import STATUS_CLASSES, BoardReading, Buckets, Row, ever_used, live
from gunicorn_autotune.model.decisions import PAIRS, Bottleneck, CapName
from gunicorn_autotune.model.snapshot import READY_STATES, WorkerState
from gunicorn_autotune.model.status import WORKER_DOORS, Door, ExitReason, Mode, Stage

UNSEEN_KIND = "unknown"
"""`kind` of a worker class whose requests nobody sees (runtime/compat.py): nor how many it takes at once."""

Document = dict[str, Any]
Sample = tuple[tuple[str, ...], Any]
"""Label values, then the number (a Buckets for a histogram)."""


def at(document: Any, *path: str) -> Any:
    """What stands at `path`, None where the document ends before."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _number(value: Any) -> Any:
    """A finite number as it is, None for `{"missing": why}`, "unlimited" and all else."""
    return value if type(value) in (int, float) and math.isfinite(value) else None


def _one(value: Any) -> Iterator[Sample]:
    number = _number(value)
    if number is not None:
        yield (), number


def _flags(words: Iterable[Any], present: Any) -> Iterator[Sample]:
    """1 for the word in force, 0 for the others; nothing when it is not known."""
    if isinstance(present, str):
        for word in words:
            yield (word.value,), int(word.value == present)


def _counts(document: Document, name: str, words: Iterable[str]) -> Iterator[Sample]:
    """One counter per word of a tally, at 0 from the start."""
    counted = at(document, "tally", name)
    if isinstance(counted, dict):
        for word in words:
            yield (word,), counted.get(word, 0)


def _build_info(document: Document) -> Iterator[Sample]:
    labels = ("gunicorn", "autotune", "python", "worker_class")
    yield tuple(str(at(document, "server", label) or "") for label in labels), 1


def _decisions(document: Document) -> Iterator[Sample]:
    counted = at(document, "tally", "decisions")
    if isinstance(counted, dict):
        for action, reason in PAIRS:
            yield (action.value, reason.value), counted.get(f"{action.value}/{reason.value}", 0)


def _caps(document: Document) -> Iterator[Sample]:
    for name in CapName:
        value = _number(at(document, "caps", name.value))
        if value is not None:
            yield (name.value,), value


def _listeners(document: Document, key: str) -> Iterator[Sample]:
    seen = set()
    for listener in document.get("listeners") or ():
        value, address = _number(listener.get(key)), str(listener.get("address"))
        if value is not None and address not in seen:
            seen.add(address)
            yield (address,), value


def _stalls(document: Document) -> Iterator[Sample]:
    for resource in metrics.RESOURCES:
        for kind in metrics.STALLS:
            value = _number(at(document, "host", f"{resource}_pressure", f"{kind}_seconds"))
            if value is not None:
                yield (resource, kind), value


def _states(reading: BoardReading) -> Iterator[Sample]:
    states = [row.state for row in live(reading)]
    for state in WorkerState:
        yield (state.value,), states.count(state)


def _in_progress(reading: BoardReading) -> Iterator[Sample]:
    running = [row.in_flight for row in live(reading)]
    if None not in running:
        yield (), sum(count or 0 for count in running)


def _unseen(document: Document) -> bool:
    return bool(at(document, "gunicorn", "kind") == UNSEEN_KIND)


def _threads(document: Document, reading: BoardReading) -> Iterator[Sample]:
    threads = _number(document.get("threads"))
    if threads is not None and not _unseen(document):
        yield (), threads * sum(row.state in READY_STATES for row in live(reading))


def _door_errors(document: Document, reading: BoardReading) -> Iterator[Sample]:
    counted = at(document, "tally", "door_errors")
    if isinstance(counted, dict):
        in_workers = dict(zip(WORKER_DOORS, reading.door_errors, strict=True))
        for door in Door:
            yield (door.value,), counted.get(door.value, 0) + in_workers.get(door, 0)


def _durations(reading: BoardReading) -> Iterator[tuple[tuple[str, ...], Buckets]]:
    for status, buckets in zip(STATUS_CLASSES, reading.durations, strict=True):
        yield (status,), buckets


FROM_DOCUMENT: dict[str, Callable[[Document], Iterator[Sample]]] = {
    "gunicorn_build_info": _build_info,
    "gunicorn_worker_spawns_total": lambda document: _one(at(document, "tally", "spawns")),
    "gunicorn_worker_exits_total": lambda document: _counts(document, "exits", [r.value for r in ExitReason]),
    "gunicorn_worker_drain_kills_total": lambda document: _one(at(document, "tally", "drain_kills")),
    "gunicorn_listen_backlog": lambda document: _listeners(document, "backlog"),
    "gunicorn_listen_backlog_limit": lambda document: _listeners(document, "backlog_limit"),
    "gunicorn_autotune_mode": lambda document: _flags(Mode, document.get("mode")),
    "gunicorn_autotune_workers_target": lambda document: _one(document.get("target")),
    "gunicorn_autotune_workers_demand": lambda document: _one(document.get("demand")),
    "gunicorn_autotune_workers_cap": _caps,
    "gunicorn_autotune_workers_floor": lambda document: _one(document.get("floor")),
    "gunicorn_autotune_scale_out_pressure_ratio": lambda document: _one(document.get("scale_out_pressure")),
    "gunicorn_autotune_bottleneck": lambda document: _flags(Bottleneck, document.get("bottleneck")),
    "gunicorn_autotune_decisions_total": _decisions,
    "gunicorn_autotune_limit_cpu_cores": lambda document: _one(at(document, "host", "cpu_limit_cores")),
    "gunicorn_autotune_limit_memory_bytes": lambda document: _one(at(document, "host", "memory_limit_bytes")),
    "gunicorn_autotune_memory_used_bytes": lambda document: _one(at(document, "host", "memory_used_bytes")),
    "gunicorn_autotune_limit_changes_total": lambda document: _counts(
        document, "limit_changes", metrics.LIMITED_RESOURCES
    ),
    "gunicorn_autotune_cpu_throttled_seconds_total": lambda document: _one(
        at(document, "host", "cpu_throttled_seconds")
    ),
    "gunicorn_autotune_pressure_stalled_seconds_total": _stalls,
    "gunicorn_autotune_unmeasured_workers_total": lambda document: _one(at(document, "tally", "unmeasured_workers")),
    "gunicorn_autotune_exporter_spawns_total": lambda document: _one(at(document, "tally", "exporter_spawns")),
    "gunicorn_autotune_ticks_total": lambda document: _one(at(document, "tally", "ticks")),
    "gunicorn_autotune_tick_seconds_total": lambda document: _one(at(document, "tally", "tick_seconds")),
    "gunicorn_autotune_last_tick_timestamp_seconds": lambda document: _one(document.get("time")),
    "gunicorn_autotune_errors_total": lambda document: _counts(document, "errors", [s.value for s in Stage]),
}

FROM_BOTH: dict[str, Callable[[Document, BoardReading], Iterator[Sample]]] = {
    "gunicorn_threads": _threads,
    "gunicorn_autotune_door_errors_total": _door_errors,
}

FROM_BOARD: dict[str, Callable[[BoardReading], Iterator[Sample]]] = {
    "gunicorn_workers": _states,
    "gunicorn_requests_in_progress": _in_progress,
    "gunicorn_request_duration_seconds": _durations,
    "gunicorn_request_queue_seconds": lambda reading: iter((((), reading.queue),)),
    "gunicorn_request_queue_dropped_total": lambda reading: iter((((), reading.queue_dropped),)),
}

OF_REQUESTS = (
    "gunicorn_request_duration_seconds",
    "gunicorn_request_queue_seconds",
    "gunicorn_request_queue_dropped_total",
)
"""Not there where no request is ever seen: 0 would say that there was none."""

FROM_SLOT: dict[str, Callable[[Row], float | None]] = {
    "gunicorn_worker_requests_total": lambda row: row.requests,
    "gunicorn_worker_busy_seconds_total": lambda row: row.busy_seconds,
    "gunicorn_worker_cpu_seconds_total": lambda row: row.cpu_seconds,
}
"""Counters: exported for every slot ever used."""

FROM_LIVE_SLOT: dict[str, Callable[[Row], float | None]] = {
    "gunicorn_worker_queued_requests": lambda row: row.queued,
    "gunicorn_worker_held_connections": lambda row: row.held,
    "gunicorn_worker_oldest_request_seconds": lambda row: row.oldest_request_seconds,
    "gunicorn_worker_resident_memory_bytes": lambda row: row.rss_bytes,
    "gunicorn_worker_unique_memory_bytes": lambda row: row.uss_bytes,
    "gunicorn_worker_proportional_memory_bytes": lambda row: row.pss_bytes,
    "gunicorn_worker_pid": lambda row: row.pid,
    "gunicorn_worker_start_time_seconds": lambda row: row.spawned,
}
"""Gauges: exported only while a process holds the slot."""


def _of_slots(rows: Iterable[Row], figure: Callable[[Row], float | None]) -> list[Sample]:
    return [((str(row.slot),), value) for row in rows if (value := figure(row)) is not None]


def samples(document: Document | None, reading: BoardReading) -> dict[str, list[Sample]]:
    """All samples by metric name; a metric without a sample is there with an empty list, or not at all."""
    used = [row for row in reading.rows if ever_used(row)]
    found = {name: list(read(reading)) for name, read in FROM_BOARD.items()}
    found |= {name: _of_slots(used, figure) for name, figure in FROM_SLOT.items()}
    found |= {name: _of_slots(live(reading), figure) for name, figure in FROM_LIVE_SLOT.items()}
    if document is not None:
        found |= {name: list(read(document)) for name, read in FROM_DOCUMENT.items()}
        found |= {name: list(join(document, reading)) for name, join in FROM_BOTH.items()}
        if _unseen(document) and not any(row.requests for row in reading.rows):
            found |= {name: [] for name in OF_REQUESTS}
    return found
