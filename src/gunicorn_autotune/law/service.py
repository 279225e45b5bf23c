"""What a request costs when nothing is in its way: learned in calm, believed under pressure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from gunicorn_autotune.law.spans import Span
from gunicorn_autotune.model.history import Learned, Mark
from gunicorn_autotune.model.readings import known
from gunicorn_autotune.model.snapshot import Totals

_TRUSTED_FROM = 20.0
"""Completions from which the learned figures are used."""
_FIRM_FROM = 200.0
"""Completions from which they stand alone: a tenth of the requests, unlike the others, has shown by then."""
_MEMORY_SECONDS = 50.0
_MEMORY_COMPLETIONS = 200.0
_SATURATED_TRUST = 10.0
_SHORTEST_SERVICE_SECONDS = 1e-4


@dataclass(frozen=True, slots=True)
class Service:
    """Service time of a request and how uneven it is."""

    seconds: float
    variability: float = 1.0
    """(1 + squared coefficient of variation) / 2, within 0.5 (all equal) and 10."""


def trusted(learned: Learned) -> bool:
    """Whether calm has taught a service time."""
    return learned.finished >= _TRUSTED_FROM


def learn(learned: Learned, span: Span, older: Mark, newer: Mark) -> Learned:
    """`learned` with a calm interval added; it forgets over 50 s or 200 completions, whichever is slower."""
    if span.useful is None:
        return learned
    keep = max(math.exp(-span.seconds / _MEMORY_SECONDS), math.exp(-span.finished / _MEMORY_COMPLETIONS))
    squares = newer.service_seconds_squared - older.service_seconds_squared
    return Learned(
        finished=learned.finished * keep + span.finished,
        useful_seconds=learned.useful_seconds * keep + span.useful * span.seconds,
        service_seconds=learned.service_seconds * keep + max(0.0, newer.service_seconds - older.service_seconds),
        service_seconds_squared=learned.service_seconds_squared * keep + max(0.0, squares),
    )


def service_of(learned: Learned, totals: Totals, least_seconds: float | None = None) -> Service | None:
    """s0 = sum(Y) / sum(X) over calm time; None before the first request has finished.

    Before 20 calm completions: the mean of all, less what was spent waiting for a core, and never more than
    `least_seconds`, what that mean has been at its least.
    """
    if trusted(learned):
        seconds = learned.useful_seconds / learned.finished
        return Service(_bounded(seconds), _variability(learned))
    if totals.requests_finished <= 0:
        return None
    waited = max(0.0, known(totals.run_delay_seconds, 0.0))
    useful_seconds = max(known(totals.cpu_seconds, 0.0), totals.service_seconds - waited)
    mean = _bounded(min(useful_seconds, totals.service_seconds) / min(totals.requests_finished, 10**15))
    return Service(mean if least_seconds is None else min(mean, least_seconds))


def least_mean(learned: Learned, totals: Totals, service: Service | None, before: float | None) -> float | None:
    """The least mean so far; None once a service time is learned, and before 20 requests have finished.

    A server that starts into a crowd has no calm to learn in: its mean rises with every worker that is added for it
    (envoy#11579), so only a lower one is believed.
    """
    if service is None or trusted(learned) or totals.requests_finished < _TRUSTED_FROM:
        return None
    return service.seconds if before is None else min(before, service.seconds)


def saturated_seconds(run: tuple[Span, Span]) -> float | None:
    """Service time seen in a run of pressure: Y / X, with requests still running counted by half.

    Its last 3 s, or all of it where that holds fewer than ten completions; if all of it does too, the rule of three
    keeps the estimate low: they may just be the long ones.
    """
    whole, last = run
    span = last if _completions(last) >= _SATURATED_TRUST else whole
    if span.useful is None:
        return None
    completions = _completions(span)
    if completions < _SATURATED_TRUST:
        completions += 3.0
    return _bounded(span.useful * span.seconds / completions)


def beside(learned: Learned, service: Service, run: Span) -> Service:
    """`service`, raised by what a run of pressure shows while calm has taught it by few requests.

    A start into rising traffic has seen 20 or 30 requests, and none of a sort that comes once in ten (rule of three:
    a share up to 3 / n goes unseen). Each calm request takes one pressed beside it, at most: under pressure service
    times grow by themselves (envoy#11579), so calm keeps half of the say, and all of it once it is firm.
    """
    count, calm = _completions(run), max(learned.finished, _TRUSTED_FROM)
    if calm >= _FIRM_FROM or run.useful is None or count < _SATURATED_TRUST:
        return service
    weight = min(count, calm)
    pooled = (calm * service.seconds + weight * run.useful * run.seconds / count) / (calm + weight)
    return replace(service, seconds=_bounded(max(service.seconds, pooled)))


def _completions(span: Span) -> float:
    return (span.started + span.finished) / 2.0


def _variability(learned: Learned) -> float:
    mean = learned.service_seconds / learned.finished
    if not mean > _SHORTEST_SERVICE_SECONDS:
        return 1.0
    squared_cv = learned.service_seconds_squared / learned.finished / (mean * mean) - 1.0
    return min(10.0, max(0.5, (1.0 + squared_cv) / 2.0))


def _bounded(seconds: float) -> float:
    return min(1e6, max(_SHORTEST_SERVICE_SECONDS, seconds))
