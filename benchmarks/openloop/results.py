"""What a run is worth: records, percentiles, the series, and whether the generator itself kept time."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.openloop.plan import Phase

NOT_SENT = "not sent"
MAX_LATENESS_SECONDS = 0.05
WINDOW_SECONDS = 0.5


@dataclass(frozen=True)
class Request:
    """One request: its moment in the schedule, how late we sent it, and what came of it."""

    scheduled_seconds: float
    lateness_seconds: float
    """Sent this long after its moment: the generator's own fault, not the server's."""
    latency_seconds: float
    """From the scheduled moment to the last byte of the answer, or to the failure."""
    status: int | None = None
    error: str | None = None

    @property
    def failure(self) -> str | None:
        """Why it failed, `status 503` for an answer of 400 or above; None when it did not."""
        if self.status is not None and self.status >= 400:
            return f"status {self.status}"
        return self.error


@dataclass(frozen=True)
class Run:
    """A finished run, its requests in the schedule's order."""

    target: str
    method: str
    phases: tuple[Phase, ...]
    arrivals: str
    keepalive: int
    requests: tuple[Request, ...]


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of ascending values: a value that was seen, or None if there are none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def summarise(run: Run) -> dict[str, Any]:
    """The run as plain data for JSON. Latencies are of the requests that did not fail; read them beside `failed`."""
    answered = sorted(r.latency_seconds for r in run.requests if r.failure is None)
    failed = Counter(r.failure for r in run.requests if r.failure is not None)
    lateness_p99 = percentile(sorted(r.lateness_seconds for r in run.requests), 0.99) or 0.0
    return {
        "target": run.target,
        "method": run.method,
        "phases": [{"rate": phase.rate, "seconds": phase.seconds} for phase in run.phases],
        "arrivals": run.arrivals,
        "keepalive": run.keepalive,
        "scheduled": len(run.requests),
        "sent": len(run.requests) - failed[NOT_SENT],
        "ok": len(answered),
        "failed": failed.total(),
        "failed_by_kind": dict(failed.most_common()),
        "latency_seconds": {
            "p50": percentile(answered, 0.5),
            "p95": percentile(answered, 0.95),
            "p99": percentile(answered, 0.99),
            "max": percentile(answered, 1.0),
        },
        "per_second": per_second(run.requests),
        "generator_lateness_p99_seconds": lateness_p99,
        "valid": lateness_p99 <= MAX_LATENESS_SECONDS,
    }


def per_second(requests: Sequence[Request]) -> list[dict[str, Any]]:
    """By second of the schedule: how many, the p95 of those that did not fail, how many failed."""
    seconds: dict[int, list[Request]] = {}
    for request in requests:
        seconds.setdefault(int(request.scheduled_seconds), []).append(request)
    return [
        {
            "second": second,
            "count": len(group),
            "p95_seconds": percentile(sorted(r.latency_seconds for r in group if r.failure is None), 0.95),
            "failed": sum(r.failure is not None for r in group),
        }
        for second, group in sorted(seconds.items())
    ]


def time_back_under(requests: Sequence[Request], threshold_s: float, after_offset: float = 0.0) -> float | None:
    """The first scheduled moment from `after_offset` on, since when all is well until the end; None if it never is.

    All is well at a moment when the p95 of the requests scheduled in the half second from it is below the threshold.
    A failed request counts as endlessly slow. The last half second judged is the first that holds the last request:
    later ones are cut short and hold too few to judge by.
    """
    points = sorted(
        (r.scheduled_seconds, math.inf if r.failure else r.latency_seconds)
        for r in requests
        if r.scheduled_seconds >= after_offset
    )
    if not points:
        return None
    window: list[float] = []  # latencies in [start, start + WINDOW_SECONDS], ascending
    end = 0
    back: float | None = None
    for i, (start, latency) in enumerate(points):
        if end == len(points):
            break
        while end < len(points) and points[end][0] <= start + WINDOW_SECONDS:
            insort(window, points[end][1])
            end += 1
        p95 = percentile(window, 0.95)
        if p95 is None or p95 >= threshold_s:
            back = None
        elif back is None:
            back = after_offset if i == 0 else start
        del window[bisect_left(window, latency)]
    return back
