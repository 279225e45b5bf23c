"""Is the arbiter alive, is the server ready, and /status.json: the document with its worker rows. Pure."""

from __future__ import annotations

from typing import Any

from gunicorn_autotune.exporter.render import finite
from gunicorn_autotune.exporter.rows import BoardReading, Row, live
from gunicorn_autotune.exporter.samples import Document
from gunicorn_autotune.model.snapshot import WorkerState

NOTHING_PUBLISHED = "the arbiter has not published anything yet"
NOT_YET = "not read yet"
FROM = {"cpu_seconds": "cpu_seconds", "rss_bytes": "rss_bytes", "uss_bytes": "memory", "pss_bytes": "memory"}
"""Figures that the arbiter reads, by the name under which it says in `unread` why it cannot."""
UNREPORTED = "this worker class does not report its requests"


def sick(document: Document | None, monotonic: float, tolerance_seconds: float) -> str | None:
    """Why the arbiter cannot be called alive, None when it ticked within `tolerance_seconds`."""
    if document is None:
        return NOTHING_PUBLISHED
    age = monotonic - float(document["monotonic"])
    if age > tolerance_seconds:
        return f"last tick {age:.0f} s ago, allowed {tolerance_seconds:g} s"
    return None


def serves(row: Row) -> bool:
    """Whether the slot's worker takes new requests."""
    return bool(row.pid) and row.ready and row.state is not WorkerState.DRAINING


def unready(document: Document | None, reading: BoardReading) -> str | None:
    """Why no request should be sent here, None when one worker is ready and the server is not stopping.

    Being busy is no reason: taking a busy pod out of service only overloads the others.
    """
    if document is None:
        return NOTHING_PUBLISHED
    if document.get("frozen") == "shutdown":
        return "shutting down"
    if not any(map(serves, reading.rows)):
        return "no worker is ready"
    return None


def _worker(row: Row, unread: dict[str, str]) -> dict[str, Any]:
    figures = {
        "requests": row.requests,
        "busy_seconds": row.busy_seconds,
        "in_flight": row.in_flight,
        "queued": row.queued,
        "held": row.held,
        "oldest_request_seconds": row.oldest_request_seconds,
        "cpu_seconds": row.cpu_seconds,
        "rss_bytes": row.rss_bytes,
        "uss_bytes": row.uss_bytes,
        "pss_bytes": row.pss_bytes,
    }
    return {
        "slot": row.slot,
        "pid": row.pid,
        "state": row.state.value if row.state else {"missing": "unknown"},
        "ready": row.ready,
        "spawned_unix_seconds": row.spawned,
    } | {
        name: {"missing": unread.get(FROM[name], NOT_YET) if name in FROM else UNREPORTED} if value is None else value
        for name, value in figures.items()
    }


def status_json(
    document: Document | None, reading: BoardReading, monotonic: float, tolerance_seconds: float
) -> dict[str, Any]:
    """What /status.json answers: the document, `healthy`, `ready`, and one entry per running worker."""
    base = document if document is not None else {"missing": NOTHING_PUBLISHED}
    unread: Any = base.get("unread", {})
    whole = base | {
        "healthy": sick(document, monotonic, tolerance_seconds) is None,
        "ready": unready(document, reading) is None,
        "workers": [_worker(row, unread) for row in live(reading)],
    }
    joined: dict[str, Any] = finite(whole)
    return joined
