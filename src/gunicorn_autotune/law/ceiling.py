"""More workers were the wrong cure: how many are allowed instead, and for how long."""

from __future__ import annotations

import math
from dataclasses import replace

from gunicorn_autotune.law.cores import FULL_SHARE, cores_full, cores_of
from gunicorn_autotune.law.judge import APART, LONG_FINISHED, LONG_SECONDS, PATIENCE_SECONDS, samples
from gunicorn_autotune.law.levels import throughput
from gunicorn_autotune.law.service import saturated_seconds
from gunicorn_autotune.law.staffing import workers_for
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import Bottleneck
from gunicorn_autotune.model.history import Ceiling, History, Level
from gunicorn_autotune.model.policy import Policy

_SOLID_FINISHED = 100
_KEPT_SHARE = 0.98
_SOME_GAIN = 1.04
"""A second trial that brings this much keeps its workers, though they bring too little to go on growing."""
_RECOVERED_SHARE = 1.3
_TRIM_SHARE = 0.8
_HOLD_SECONDS, _LONGEST_HOLD_SECONDS = 60.0, 900.0


def allowed(history: History, at: float) -> int | None:
    """Workers the ceiling allows: itself while it holds, then a step that can be judged; None without one."""
    ceiling = history.ceiling
    if ceiling is None:
        return None
    return ceiling.workers if at < ceiling.until else math.ceil(APART * ceiling.workers) + 1


def ceiling_of(policy: Policy, history: History, view: View) -> Ceiling:
    """Back to the least count that was measured to do as much, or at once to what the work takes by Little's law."""
    levels, before = history.levels, history.ceiling
    good, best = _best(levels)
    hold = _HOLD_SECONDS
    if before is not None:
        high, low = samples(levels)
        some = low.finished > 0 and high.per_second > _SOME_GAIN * low.per_second
        good = workers = levels[-1].ready if some else before.workers
        hold = before.hold_seconds if some else min(_LONGEST_HOLD_SECONDS, 2.0 * before.hold_seconds)
    else:
        workers = max(floor_of(history), min(good, _by_little(view, best)))
    return Ceiling(
        workers=max(policy.min_workers, workers),
        good=good,
        best=best,
        verdict=_verdict(policy, view),
        until=view.mark.at + hold,
        hold_seconds=hold,
        set_at=view.mark.at,
        trimming=before is None,
    )


def trial(policy: Policy, history: History, view: View) -> Ceiling:
    """A first step down; the verdict is still open."""
    level = history.levels[-1]
    now = throughput([level])
    fewer = min(level.ready - 1, math.ceil(_trim_share(now.finished) * level.ready))
    return Ceiling(
        workers=max(policy.min_workers, floor_of(history), fewer),
        good=level.ready,
        best=now.per_second,
        verdict=Bottleneck.WORKERS,
        until=view.mark.at + _HOLD_SECONDS,
        hold_seconds=_HOLD_SECONDS,
        set_at=view.mark.at,
        trimming=True,
    )


def trimmed(policy: Policy, history: History, ceiling: Ceiling, view: View) -> Ceiling | None:
    """A fifth fewer at a time, as long as throughput stays: the least count on the plateau, or the top of the hill.

    Throughput that rises without a worker more means that what was slow is so no longer: no ceiling.
    """
    level = history.levels[-1]
    since = throughput([level])
    enough = since.seconds >= LONG_SECONDS and since.finished >= LONG_FINISHED
    if level.ready > ceiling.workers or level.first.at < ceiling.set_at:
        return ceiling
    if not enough and since.seconds < max(PATIENCE_SECONDS, saturated_seconds(view.run) or 0.0):
        return ceiling
    if not ceiling.trimming:
        return None if since.per_second > _RECOVERED_SHARE * ceiling.best else ceiling
    share = _trim_share(since.finished)
    kept = _KEPT_SHARE if share == _TRIM_SHARE else 0.5 + 0.5 * share
    if since.per_second < kept * ceiling.best:
        if ceiling.verdict is Bottleneck.WORKERS:
            return None
        return replace(ceiling, workers=ceiling.good, set_at=view.mark.at, trimming=False)
    good, fewer = ceiling.workers, max(_least(view, since.per_second), math.ceil(share * ceiling.workers))
    return replace(
        ceiling, workers=min(max(policy.min_workers, fewer), good), good=good, best=max(ceiling.best, since.per_second),
        verdict=Bottleneck.DOWNSTREAM if ceiling.verdict is Bottleneck.WORKERS else ceiling.verdict,
        set_at=view.mark.at, trimming=max(policy.min_workers, fewer) < good,
    )  # fmt: skip


def _trim_share(finished: int) -> float:
    """A fifth fewer; half where so few requests finish that a fifth could not be told from chance."""
    return _TRIM_SHARE if finished >= LONG_FINISHED else 0.5


def _best(levels: tuple[Level, ...]) -> tuple[int, float]:
    """(workers, requests per second): the least count that was measured to do as much as any."""
    measured = [(level.ready, throughput([level])) for level in levels]
    solid = [(ready, one.per_second, one.finished) for ready, one in measured if one.finished >= _SOLID_FINISHED]
    high, _ = samples(levels)
    best = max([high.per_second, *(rate * (1.0 - 2.0 / math.sqrt(finished)) for _, rate, finished in solid)])
    return min([ready for ready, rate, _ in solid if rate >= _KEPT_SHARE * best] or [levels[-1].ready]), best


def _by_little(view: View, per_second: float) -> int:
    """1.25 X s + 1, with s of the present run where it is longer than in calm, but twice that at most."""
    onset, calm = view.run[0], _calm_seconds(view)
    seconds = calm
    if onset.useful is not None and onset.finished:
        seconds = max(calm, min(onset.useful * onset.seconds / onset.finished, 2.0 * calm))
    return _workers_busy(view, 1.25 * per_second * seconds)


def _least(view: View, per_second: float) -> int:
    """X s + 1: fewer could not do what is done now, even if requests took what they take in calm."""
    return _workers_busy(view, per_second * _calm_seconds(view))


def _workers_busy(view: View, slots: float) -> int:
    """Workers for the slots that a throughput keeps busy (L = lambda W, Little 1961), and one slot more."""
    return workers_for(math.ceil(slots) + 1, view.snapshot.threads)


def _calm_seconds(view: View) -> float:
    return view.service.seconds if view.service else 0.0


def floor_of(history: History) -> int:
    """Workers there were when the pressure began: never below them."""
    return history.pressed_from.ready if history.pressed_from is not None else 1


def _verdict(policy: Policy, view: View) -> Bottleneck:
    cores = cores_of(policy, view.snapshot.host)
    used = (view.fast.cpu or 0.0) + view.fast.boot_cpu
    full = (cores is not None and used > FULL_SHARE * cores) or cores_full(policy, view)
    return Bottleneck.CPU if full else Bottleneck.DOWNSTREAM
