"""A small server on paper: one status document and one board reading, the same at every call."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

from gunicorn_autotune.exporter.rows import BoardReading, Buckets, Row
from gunicorn_autotune.model.decisions import Action, Bottleneck, CapName, Decision, Reason
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import HostReading, ListenerReading, Missing, PressureReading, Reading, Unlimited
from gunicorn_autotune.model.snapshot import Snapshot, Totals, WorkerState
from gunicorn_autotune.model.status import ExitReason, Identity, Mode, Tally, status_document

NOT_HERE: Missing = Missing("not on this host")


def a_pressure(full_seconds: Reading[float] = 0.5) -> PressureReading:
    """PSI of one resource."""
    return PressureReading(1.5, full_seconds, 0.01, 0.0)


def a_host(**changes: Any) -> HostReading:
    """Two cores, 4 GiB, everything readable."""
    host = HostReading(
        cpu_limit_cores=2.0, cpu_quota_cores=2.0, memory_limit_bytes=4 << 30, memory_used_bytes=1 << 30,
        pids_limit=UNLIMITED_PIDS, pids_used=20, cpu_throttled_seconds=0.25, oom_kills=0,
        cpu_pressure=a_pressure(NOT_HERE), memory_pressure=a_pressure(), io_pressure=a_pressure(),
    )  # fmt: skip
    return replace(host, **changes)


UNLIMITED_PIDS = Unlimited()
GUNICORN: dict[str, Any] = {
    "kind": "threaded",
    "settings": {
        "bind": ["127.0.0.1:8000"], "keepalive": 10, "reuse_port": False, "threads": 2, "timeout": 30, "tls": False,
        "worker_class": "gthread", "workers": 1,
    },
    "not_default": ["keepalive", "threads", "worker_class"],
}  # fmt: skip
"""Some of Gunicorn's settings, as in the status document."""


def a_snapshot(monotonic: float = 1000.0, host: HostReading | None = None, frozen: str | None = None) -> Snapshot:
    """Two listeners, one of which cannot be read."""
    listeners = (
        ListenerReading("127.0.0.1:8000", backlog=3, backlog_limit=2048),
        ListenerReading('unix:/run/"odd".sock', backlog=NOT_HERE, backlog_limit=128),
    )
    totals = Totals(12.5, 10, 9, 12.0, 20.0, 8.0, 0.5, 1.0, 2, (0,) * 16)
    return Snapshot(
        at=monotonic, workers=(), listeners=listeners, host=host or a_host(), totals=totals, target=3, threads=2,
        frozen=frozen,
    )  # fmt: skip


def a_document(monotonic: float = 1000.0, host: HostReading | None = None, frozen: str | None = None) -> dict[str, Any]:
    """What the arbiter publishes, gone through JSON as it does on the way to the exporter."""
    decision = Decision(
        Action.HOLD,
        Reason.STEADY,
        3,
        demand=2.5,
        caps={CapName.CPU: 8, CapName.CONFIG_MAX: 4},
        floor=2,
        bottleneck=Bottleneck.NONE,
        scale_out_pressure=0.625,
    )
    tally = Tally(spawns=5, unmeasured_workers=1, ticks=4000, tick_seconds=2.25, exporter_spawns=1)
    tally.exits = Counter({ExitReason.RECYCLE_MEMORY: 2})
    tally.decisions = Counter({"grow/backlog": 2, "hold/steady": 900})
    identity = Identity("27.0.1", "0.1.0", "3.11.7", "gthread", 4711, 1_700_000_000.0)
    snapshot = a_snapshot(monotonic, host, frozen)
    document = status_document(
        identity, Policy(), Mode.ACTIVE, snapshot, decision, tally, recent=[], unix_seconds=1_700_000_100.5,
        gunicorn=GUNICORN,
    )  # fmt: skip
    parsed: dict[str, Any] = json.loads(json.dumps(document))
    return parsed


def a_row(slot: int = 0, **changes: Any) -> Row:
    """A busy worker whose every figure is known."""
    row = Row(
        slot, pid=5000 + slot, state=WorkerState.BUSY, spawned=1_700_000_000.25, requests=40, busy_seconds=10.5,
        in_flight=1, queued=0, held=2, oldest_request_seconds=0.125, cpu_seconds=4.5, rss_bytes=90 << 20,
        uss_bytes=30 << 20, pss_bytes=45 << 20, ready=True,
    )  # fmt: skip
    return replace(row, **changes)


def an_empty_slot(slot: int) -> Row:
    """A slot whose worker is gone: its counters stay."""
    return Row(slot, requests=7, busy_seconds=2.0, cpu_seconds=1.5)


def a_booting_row(slot: int) -> Row:
    """A worker that is still importing the app; its memory was not read yet."""
    return Row(slot, pid=5000 + slot, state=WorkerState.BOOTING, spawned=1_700_000_099.0, requests=0, busy_seconds=0.0,
               in_flight=0, queued=0, held=0, oldest_request_seconds=0.0, cpu_seconds=0.25)  # fmt: skip


def a_board(*rows: Row) -> BoardReading:
    """The given rows, and twelve requests answered."""
    ok = Buckets((1, 2, 3) + (0,) * 13 + (4,), sum_seconds=301.5)
    failed = Buckets((0,) * 16 + (2,), sum_seconds=150.0)
    none = Buckets((0,) * 17)
    return BoardReading(rows, (none, ok, none, none, failed), Buckets((5,) + (0,) * 14 + (1,), 61.25), queue_dropped=2)


def a_small_board() -> BoardReading:
    """A busy, a booting, a vacated and a never used slot."""
    return a_board(a_row(0), a_booting_row(1), an_empty_slot(2), Row(3))


def a_large_board(slots: int) -> BoardReading:
    """As many busy workers."""
    return a_board(*(a_row(slot) for slot in range(slots)))
