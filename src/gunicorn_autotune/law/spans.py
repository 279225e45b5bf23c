"""Windows of time: every mean is the difference of two marks, so irregular ticks need no care."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from operator import attrgetter

from gunicorn_autotune.model.history import Mark
from gunicorn_autotune.model.readings import Missing, Reading, known
from gunicorn_autotune.model.snapshot import Snapshot

SLOW_SECONDS = 30.0
FAST_SECONDS = 3.0
SHORTEST_SECONDS = 0.02
"""Two snapshots closer than this give no rate: one request would read as a flood."""
LONGEST_SECONDS = 60.0
"""Two snapshots further apart than this have a suspend or a stop between them."""
_HUGE = 10**15
"""Counters are cut here, so that no product of them leaves the range of a float."""
_at = attrgetter("at")


@dataclass(frozen=True, slots=True)
class Span:
    """What happened between two marks; means per second. None: the reading was missing at one end."""

    seconds: float
    arrived: float
    """Requests that came, served or still waiting."""
    drained: float
    """Requests that left the queue, net; negative while it builds up."""
    started: float
    finished: float
    busy: float | None
    """Mean busy slots (Erlangs)."""
    useful: float | None
    """Mean busy slots that were not waiting for a core: Y = B - D, at least C and at most B."""
    load: float
    cpu: float | None
    """Mean cores used by ready workers."""
    boot_cpu: float
    """Mean cores used by boots."""
    quota_full: float | None = None
    """Share of time in periods of a CPU quota, ours or an ancestor's, that was used up with more wanted."""


def mark_of(snapshot: Snapshot, waiting: float | None, ready: int) -> Mark:
    """The counters of `snapshot`, cut to a sane range; None where missing or not a finite number."""
    totals, full = snapshot.totals, snapshot.host.cpu_full_seconds
    return Mark(
        at=snapshot.at,
        waiting=waiting,
        busy_seconds=_finite(totals.busy_seconds),
        load_seconds=0.0,
        started=min(totals.requests_started, _HUGE),
        finished=min(totals.requests_finished, _HUGE),
        service_seconds=_finite(totals.service_seconds) or 0.0,
        service_seconds_squared=_finite(totals.service_seconds_squared) or 0.0,
        cpu_seconds=_finite(totals.cpu_seconds),
        run_delay_seconds=_finite(totals.run_delay_seconds),
        queue_time_counts=totals.queue_time_counts,
        ready=ready,
        oom_kills=None if isinstance(snapshot.host.oom_kills, Missing) else snapshot.host.oom_kills,
        killed=snapshot.totals.killed,
        boot_cpu_seconds=_finite(totals.boot_cpu_seconds) or 0.0,
        quota_full_seconds=None if isinstance(full, Missing) else full,
        quota_read_at=known(snapshot.host.read_at, snapshot.at),
    )


def between(older: Mark, newer: Mark) -> Span:
    """Differences of two marks; a counter that went down counts as unchanged."""
    seconds = max(newer.at - older.at, SHORTEST_SECONDS)
    started = max(0, newer.started - older.started)
    drained = drained_between(older, newer)
    busy = _rate(older.busy_seconds, newer.busy_seconds, seconds)
    cpu = _rate(older.cpu_seconds, newer.cpu_seconds, seconds)
    delay = _rate(older.run_delay_seconds, newer.run_delay_seconds, seconds)
    return Span(
        seconds=seconds,
        arrived=max(0.0, started - drained),
        drained=drained,
        started=started,
        finished=max(0, newer.finished - older.finished),
        busy=busy,
        useful=None if busy is None else useful_slots(busy, cpu or 0.0, delay or 0.0),
        load=max(0.0, newer.load_seconds - older.load_seconds) / seconds,
        cpu=cpu,
        boot_cpu=max(0.0, newer.boot_cpu_seconds - older.boot_cpu_seconds) / seconds,
        quota_full=_quota_full(older, newer),
    )


def _quota_full(older: Mark, newer: Mark) -> float | None:
    """The level that was full the most; None where it was not read twice, or where we were moved in between."""
    before, now, seconds = older.quota_full_seconds, newer.quota_full_seconds, newer.quota_read_at - older.quota_read_at
    if before is None or now is None or len(before) != len(now) or seconds <= 0.0:
        return None
    return min(1.0, max([0.0, *(b - a for a, b in zip(before, now, strict=True))]) / seconds)


def drained_between(older: Mark, newer: Mark) -> float:
    """Requests that left the queue, net; 0 where it could not be read at both ends."""
    if older.waiting is None or newer.waiting is None:
        return 0.0
    return older.waiting - newer.waiting


def arrived_between(older: Mark, newer: Mark) -> tuple[float, float]:
    """(requests, seconds): the part of a span that the arrival rate needs."""
    arrived = max(0, newer.started - older.started) - drained_between(older, newer)
    return max(0.0, arrived), max(newer.at - older.at, SHORTEST_SECONDS)


def useful_slots(busy: float, cpu: float, delay: float) -> float:
    """Y = clamp(B - D, C, B): busy slots less those runnable and waiting for a core."""
    return min(busy, max(cpu, busy - delay))


def back(marks: tuple[Mark, ...], at: float) -> Mark:
    """The youngest mark not younger than `at`, or the oldest there is."""
    return marks[max(0, bisect_right(marks, at, key=_at) - 1)]


def trimmed(marks: tuple[Mark, ...], at: float) -> tuple[Mark, ...]:
    """`marks` without those that no window of SLOW_SECONDS up to `at` needs."""
    return marks[max(0, bisect_right(marks, at - SLOW_SECONDS, key=_at) - 1) :]


def _finite(reading: Reading[float]) -> float | None:
    if isinstance(reading, Missing) or not math.isfinite(reading):
        return None
    return min(float(reading), float(_HUGE))


def _rate(older: float | None, newer: float | None, seconds: float) -> float | None:
    if older is None or newer is None:
        return None
    return max(0.0, newer - older) / seconds
