"""Which worker holds which row. A slot is freed only after its worker is gone, and its counters go on."""

from __future__ import annotations

import sys
import time
from typing import Any

from gunicorn_autotune.model.status import Mode
from gunicorn_autotune.runtime import user_metrics
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.scoreboard import board, layout

LEAST_REQUESTS = 5
"""Who writes fewer wants a process for each request, or nearly: what one leaves behind is not to meet the next."""


def assign(tune: Autotune, worker: Any) -> Tracked:
    """Before the fork: a row for the worker, or none when the board is full (it serves unmeasured)."""
    now_ns = time.monotonic_ns()
    slot = _free_slot(tune)
    tracked = Tracked(worker, worker.age, slot, None, spawned_at=now_ns / 1e9)
    tracked.requests_limit = _requests_limit(tune, worker)
    if slot is None:
        tune.tally.unmeasured_workers += 1
        worker.log.error("autotune: scoreboard full rows=%s, worker serves unmeasured", tune.board.shape.rows)
    else:
        _take(tune, slot, tracked, now_ns)
    tune.tracked[worker.age] = tracked
    worker.autotune = tracked
    tune.tally.spawns += 1
    return tracked


def _take(tune: Autotune, slot: int, tracked: Tracked, now_ns: int) -> None:
    if slot in tune.free_slots:
        tune.free_slots.remove(slot)
    tune.slots_used = tune.board.slots_used = max(tune.slots_used, slot + 1)
    tracked.row = tune.board.row(slot)
    tracked.requests_before = board.finished(words_of(tune, slot))
    if slot in tune.believed.doubted:
        # Other workers can write here as well; the new one must not begin with it.
        _reclaim(tune, slot)
    tracked.cpu_ns_before = tune.board.noted(slot, layout.CPU_NS)
    tune.board.note(slot, layout.SPAWNED_NS, now_ns)
    tune.board.note(slot, layout.AGE, tracked.age)


def words_of(tune: Autotune, slot: int) -> list[int]:
    """The row of a slot, as far as it can be true."""
    return tune.believed.read(tune.board, slot, time.monotonic_ns())


def _free_slot(tune: Autotune) -> int | None:
    """The lowest slot that a worker has left, else the next one that never had any; None when the board is full."""
    if tune.free_slots:
        return min(tune.free_slots)
    return tune.slots_used if tune.slots_used < tune.board.shape.rows else None


def _requests_limit(tune: Autotune, worker: Any) -> int | None:
    """max_requests with the jitter that Gunicorn has drawn for this worker, if we are the ones to keep it.

    Only in a worker class whose requests we count and Gunicorn counts as well; and not while we only observe.
    """
    ours = keeps_max_requests(tune, worker.cfg.max_requests)
    return int(worker.max_requests) if ours and worker.max_requests < sys.maxsize else None


def keeps_max_requests(tune: Autotune, max_requests: int) -> bool:
    """Whether a worker leaves at the hands of the law instead of at Gunicorn's `max_requests`."""
    ours = tune.mode is Mode.ACTIVE and tune.records and tune.policy.max_requests_owner == "autotune"
    return ours and max_requests >= LEAST_REQUESTS


def release(tune: Autotune, tracked: Tracked) -> None:
    """After the reap: settle the row and give the slot back."""
    tune.tracked.pop(tracked.age, None)
    if tracked.probe is not None:
        tracked.probe.close()
        tracked.probe = None
    if tracked.slot is None or tracked.row is None:
        return
    _reclaim(tune, tracked.slot)
    tracked.row = None
    tune.free_slots.append(tracked.slot)
    user_metrics.leave_slot(tracked.slot)


def settle_strays(server: Any, tune: Autotune) -> None:
    """Workers Gunicorn no longer has and whose exit nobody told us: a fork that failed leaves one."""
    alive = {id(worker) for worker in list(server.WORKERS.values())}
    for tracked in list(tune.tracked.values()):
        if id(tracked.worker) not in alive:
            release(tune, tracked)
    for slot in list(tune.free_slots):
        # Before 25.1 a worker may be reaped, in a signal handler, while the tick is writing its row.
        if tune.board.noted(slot, layout.PID):
            _reclaim(tune, slot)


def _reclaim(tune: Autotune, slot: int) -> None:
    board.reclaim(tune.board, slot, words_of(tune, slot), time.monotonic_ns())
