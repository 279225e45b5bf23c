"""One run, real or simulated, in the same shape, and its figures by the same arithmetic."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from statistics import fmean

from benchmarks.calibration.cells import Cell
from benchmarks.openloop import Request, time_back_under
from benchmarks.openloop.results import percentile

from gunicorn_autotune.model.decisions import Action
from gunicorn_autotune.model.flight import Tick
from gunicorn_autotune.model.readings import known
from gunicorn_autotune.model.snapshot import QUEUE_TIME_BOUNDS_SECONDS

LATE_SECONDS = 0.1
GOOD_SECONDS = 0.15
"""Of a p95, beyond the request's own work: 250 ms for a request of 100 ms."""
_LATE_BUCKETS = slice(bisect_left(QUEUE_TIME_BOUNDS_SECONDS, LATE_SECONDS) + 1, None)


@dataclass(frozen=True)
class Observed:
    """What came of a run: every answer in the plan's order, and what every tick saw and decided."""

    cell: Cell
    began: float
    """The start of the plan on the clock of the ticks."""
    ticks: tuple[Tick, ...]
    answers: tuple[Request, ...]
    own_seconds: tuple[float, ...]
    """What each request would have taken alone."""
    others_cores: float = 0.0
    """Used by processes that have no part in this, on average."""


def figures(run: Observed) -> dict[str, float]:
    """Shares run 0..1; `back_seconds` is infinite when p95 never came back."""
    good = [answer for answer in run.answers if answer.failure is None]
    seconds = run.cell.seconds
    back = time_back_under(excesses(run), GOOD_SECONDS, run.cell.step_at)
    totals = run.ticks[-1].snapshot.totals
    return {
        "requests": len(run.answers),
        "failed": len(run.answers) - len(good),
        "late_share": late_share(run),
        "slow_share": slow_share(run),
        "mean_workers": mean_workers(run),
        "most_workers": max(len(tick.snapshot.workers) for tick in run.ticks),
        "p95_response_seconds": percentile(sorted(one.latency_seconds for one in good), 0.95) or math.inf,
        "throughput": sum(one.scheduled_seconds + one.latency_seconds <= seconds for one in good) / seconds,
        "actions": sum(tick.decision.action is not Action.HOLD for tick in during(run)),
        "back_seconds": math.inf if back is None else back - run.cell.step_at,
        "service_seconds": totals.service_seconds / max(1, totals.requests_finished),
        "worker_cpu_seconds": known(totals.cpu_seconds, math.nan),
        "lateness_p99_seconds": percentile(sorted(one.lateness_seconds for one in run.answers), 0.99) or 0.0,
        "others_cores": run.others_cores,
    }


def late_share(run: Observed) -> float:
    """Requests whose wait for a worker, as the server's own histogram has it, was above LATE_SECONDS."""
    counts = run.ticks[-1].snapshot.totals.queue_time_counts
    return sum(counts[_LATE_BUCKETS]) / max(1, sum(counts))


def slow_share(run: Observed) -> float:
    """Requests that failed or were answered more than LATE_SECONDS later than alone on the machine."""
    return fmean(one.failure is not None or one.latency_seconds > LATE_SECONDS for one in excesses(run))


def excesses(run: Observed) -> list[Request]:
    """The answers, each less what it would have taken alone."""
    pairs = zip(run.answers, run.own_seconds, strict=True)
    return [replace(one, latency_seconds=one.latency_seconds - own) for one, own in pairs]


def first_look_seconds(run: Observed) -> float:
    """From the beginning of the last phase to the first tick that could see it."""
    return next(
        tick.snapshot.at - run.began - run.cell.step_at
        for tick in run.ticks
        if tick.snapshot.at - run.began >= run.cell.step_at
    )


def during(run: Observed) -> list[Tick]:
    """The ticks of the load itself."""
    return [tick for tick in run.ticks if 0.0 <= tick.snapshot.at - run.began <= run.cell.seconds]


def mean_workers(run: Observed) -> float:
    """Processes, booting and draining ones included, each tick's count held until the next tick."""
    moments = [tick.snapshot.at - run.began for tick in run.ticks]
    area = 0.0
    for tick, begin, end in zip(run.ticks, moments, [*moments[1:], math.inf], strict=True):
        area += len(tick.snapshot.workers) * max(0.0, min(end, run.cell.seconds) - max(begin, 0.0))
    # Before the first tick there are the workers that it saw.
    area += len(run.ticks[0].snapshot.workers) * max(0.0, moments[0])
    return area / run.cell.seconds
