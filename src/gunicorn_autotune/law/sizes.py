"""How large workers get: what each takes over its life, what one takes that has just booted, what it grows to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

from gunicorn_autotune.model.history import Grown, History
from gunicorn_autotune.model.policy import Policy, memory_in_force
from gunicorn_autotune.model.readings import Missing, known
from gunicorn_autotune.model.snapshot import Snapshot, WorkerReading, WorkerState

_FRESH_FROM_SECONDS, _FRESH_UNTIL_SECONDS = 5.0, 15.0
"""A worker's fresh size is read this long after its boot: right after a fork nearly everything is still shared."""
YOUNG_SECONDS = 60.0
"""Caches and lazy imports are taken to fill within this time."""
_LOOK_SECONDS = 1.0
_FIRST_MARK_REQUESTS = 100
"""Lazy imports and first caches are filled by then."""
_MARKS = 24
PEAKS = 32
"""Most that are remembered."""
_PEAK_HALF_LIFE_SECONDS = 3600.0
_TOP_SHARE = 0.1
_LEAK_PAIRS = 3
_STEADY = 0.75
"""Bytes per request over one doubling, against the doubling before: a leak keeps 1, a cache that fills as the square
root of the requests 0.71, one that fills as their logarithm 0.5."""


def own_bytes(worker: WorkerReading) -> int:
    """Private memory (USS), what recycling the worker would give back at most; 0 when it was not read."""
    return 0 if isinstance(worker.memory, Missing) else min(worker.memory.uss_bytes, 10**18)


def sizes_seen(policy: Policy, history: History, snapshot: Snapshot) -> History:
    """`history` with what workers take now; once a second, since sizes are read one worker at a time."""
    if history.grown_at and 0.0 <= snapshot.at - history.grown_at < _LOOK_SECONDS:
        return history
    before = {one.age: one for one in history.grown}
    grown, drains = [], WorkerState.DRAINING
    for worker in snapshot.workers:
        known_before = before.pop(worker.age, None)
        if worker.state is not drains or known_before is not None:
            one = _grown(known_before, worker)
            if one is not None:
                grown.append(one)
    left = tuple((snapshot.at, one.peak_bytes) for one in before.values() if one.marks)
    return replace(
        history, grown=tuple(grown), grown_at=snapshot.at, peaks=(*history.peaks, *left)[-PEAKS:],
        leaking=tuple([one.age for one in grown if leaks(policy, one)]),
        fresh_bytes=_fresh(history.fresh_bytes, snapshot, own_bytes),
        fresh_rss_bytes=_fresh(history.fresh_rss_bytes, snapshot, lambda worker: known(worker.rss_bytes, 0)),
        sized=history.sized or _sizes_known(policy, snapshot),
    )  # fmt: skip


def _sizes_known(policy: Policy, snapshot: Snapshot) -> bool:
    """Whether the memory cap can hold the count from now on, so that the guess is not needed any more."""
    limit, used = memory_in_force(policy, snapshot.host)
    watched = isinstance(limit, int) and isinstance(used, int)
    return watched and any(_settled(worker, snapshot.at) for worker in snapshot.workers)


def _settled(worker: WorkerReading, at: float) -> bool:
    """Whether a worker has served long enough to show its size; an idle minute is not enough.

    A worker that does not report its requests is judged by time alone.
    """
    if worker.ready_at is None or at - worker.ready_at < YOUNG_SECONDS or not own_bytes(worker):
        return False
    return worker.served >= _FIRST_MARK_REQUESTS or worker.state is WorkerState.UNKNOWN


def _grown(before: Grown | None, worker: WorkerReading) -> Grown | None:
    own = own_bytes(worker)
    if not own:
        return before
    one = before or Grown(worker.age, own)
    next_mark = 2 * one.marks[-1][0] if one.marks else _FIRST_MARK_REQUESTS
    if worker.served >= next_mark:
        return Grown(one.age, max(own, one.peak_bytes), (*one.marks, (worker.served, own))[-_MARKS:])
    return Grown(one.age, own, one.marks) if own > one.peak_bytes else one


def _fresh(before: int, snapshot: Snapshot, size: Callable[[WorkerReading], int]) -> int:
    """The smallest of the workers that have booted lately, else what it was; 0 before one was read."""
    since, until = snapshot.at - _FRESH_UNTIL_SECONDS, snapshot.at - _FRESH_FROM_SECONDS
    ready = [worker for worker in snapshot.workers if worker.ready_at is not None]
    young = [worker for worker in ready if worker.ready_at is not None and since < worker.ready_at <= until]
    if before and not young:
        return before
    sizes = [size(worker) for worker in young or ready]
    return min([taken for taken in sizes if taken], default=before)


def shed(history: History, age: int | None) -> History:
    """`history` without a worker that is recycled for its size: what it grew to is not the natural size of one."""
    return replace(history, grown=tuple(one for one in history.grown if one.age != age))


def mature_bytes(sizes: Iterable[int], peaks: Sequence[tuple[float, int]], at: float) -> int:
    """What a worker grows to: the 90th percentile of what workers take, those that have left with half the weight
    for each hour since; the largest where there are few. 0 when nothing was read.
    """
    present = sorted([size for size in sizes if size], reverse=True)
    left: list[tuple[int, float]] = [
        (peak, 0.5 ** max(0.0, (at - left_at) / _PEAK_HALF_LIFE_SECONDS)) for left_at, peak in peaks
    ]
    above = _TOP_SHARE * (len(present) + sum([weight for _, weight in left]))
    # Smaller ones cannot be reached: those here outweigh the share.
    for size, weight in sorted([(size, 1.0) for size in present[: int(above) + 1]] + left, reverse=True):
        above -= weight
        if above < 0.0:
            return size
    return 0


def leaks(policy: Policy, grown: Grown) -> bool:
    """Whether a worker takes the same more with every request, and `recycle_leak_ratio` times its early size by now.

    By requests, not by time: at night a leak sleeps. Three doublings must each have kept at least 0.75 of the bytes
    per request of the one before; a cache that fills does not.
    """
    marks = grown.marks
    if not policy.recycle_leak_ratio or len(marks) <= _LEAK_PAIRS:
        return False
    if grown.peak_bytes < policy.recycle_leak_ratio * marks[0][1]:
        return False
    last = marks[-_LEAK_PAIRS - 1 :]
    rates = [(after[1] - one[1]) / (after[0] - one[0]) for one, after in pairwise(last)]
    return all(rate > 0.0 for rate in rates) and all(later >= _STEADY * earlier for earlier, later in pairwise(rates))
