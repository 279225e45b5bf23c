"""One snapshot seen with its history: the rates and counts that every part of the law reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gunicorn_autotune.law.crew import Crew
from gunicorn_autotune.law.service import Service
from gunicorn_autotune.law.spans import FAST_SECONDS, SLOW_SECONDS, Span, arrived_between, back, between
from gunicorn_autotune.model.decisions import Reason
from gunicorn_autotune.model.history import History, Mark
from gunicorn_autotune.model.snapshot import Snapshot

_SIGMAS = 2.0


@dataclass(frozen=True, slots=True)
class View:
    """What the parts of the law read."""

    snapshot: Snapshot
    crew: Crew
    mark: Mark
    newest: Span
    """Since the last snapshot."""
    fast: Span
    """The last 3 s."""
    slow: Span
    """The last 30 s."""
    run: tuple[Span, Span]
    """The present run of pressure: all of it, 30 s at most, and its last 3 s; slow and fast when calm."""
    pressed: Reason | None
    """Which pressure there is; None when calm."""
    service: Service | None
    """None: no request has ever finished."""
    arrivals_per_second: float
    """The latest that is more than chance: what to answer to."""
    arrivals_mean_per_second: float
    """Over 3 s or two service times: what to remember."""
    queue_p95_seconds: float | None


def view_of(
    history: History, snapshot: Snapshot, crew: Crew, mark: Mark, newest: Span, pressed: Reason | None,
    service: Service | None, queue_p95_seconds: float | None,
) -> View:  # fmt: skip
    """The view of `snapshot` from `history`, which does not hold its mark yet."""
    service_seconds = service.seconds if service else 0.0
    mean, latest = arrival_rates(history, mark, service_seconds)
    fast = between(back(history.marks, mark.at - FAST_SECONDS), mark)
    slow = between(back(history.marks, mark.at - SLOW_SECONDS), mark)
    return View(
        snapshot=snapshot,
        crew=crew,
        mark=mark,
        newest=newest,
        fast=fast,
        slow=slow,
        run=_run(history, mark, fast) or (slow, fast),
        pressed=pressed,
        service=service,
        arrivals_per_second=latest,
        arrivals_mean_per_second=mean,
        queue_p95_seconds=queue_p95_seconds,
    )


def arrival_rates(history: History, mark: Mark, service_seconds: float) -> tuple[float, float]:
    """(mean, latest) requests per second: lambda = A + dQ/dt, so a step counts at once and a clump not.

    The mean is over 3 s (two service times if longer); the latest is that of the newest second or interval where that
    one holds more than chance explains: 2 sigma of a Poisson count, and one more.
    """
    window = min(max(FAST_SECONDS, 2.0 * service_seconds), SLOW_SECONDS)
    arrived, seconds = arrived_between(back(history.marks, mark.at - window), mark)
    mean = rate = arrived / seconds
    for older in (back(history.marks, mark.at - 1.0), history.marks[-1]):
        arrived, seconds = arrived_between(older, mark)
        expected = rate * seconds
        if arrived > expected + _SIGMAS * math.sqrt(expected) + 1.0:
            rate = arrived / seconds
    return mean, rate


def _run(history: History, mark: Mark, fast: Span) -> tuple[Span, Span] | None:
    onset = history.pressed_from
    if onset is None or onset.at <= mark.at - SLOW_SECONDS:
        return None
    whole = between(onset, mark)
    return whole, whole if onset.at >= mark.at - FAST_SECONDS else fast
