"""Did the last growth raise throughput? If not, more workers are the wrong cure: go back, hold off, try again later.

Saturated is compared with saturated, never with the time before the pressure: a database that became slow would make
every step look useless. The idea of judging a controller's own step is .NET's hill climbing and
Uber's Cinnamon; here it only ever vetoes.
"""

from __future__ import annotations

import math
from dataclasses import replace

from gunicorn_autotune.law.cores import cores_full, cores_of
from gunicorn_autotune.law.levels import Throughput, throughput, with_level
from gunicorn_autotune.law.service import saturated_seconds, trusted
from gunicorn_autotune.law.staffing import workers_for
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import Bottleneck
from gunicorn_autotune.model.history import Ceiling, History, Level
from gunicorn_autotune.model.policy import Policy

PASS_SHARE = 0.4
"""A growth must bring this share of its linear gain (.NET's bias is 0.15; a bottleneck brings 0)."""
_APART = 1.3
_NEAR = 0.9
_JUDGED_SECONDS, _JUDGED_HIGH, _JUDGED_LOW = 3.0, 30, 10
_LOW_SECONDS = 10.0
_SOLID_FINISHED = 100
_KEPT_SHARE = 0.98
_SOME_GAIN = 1.04
"""A second trial that brings this much keeps its workers, though they bring too little to go on growing."""
_RECOVERED_SHARE = 1.3
_TRIM_SHARE = 0.8
_TRIM_SECONDS, _TRIM_FINISHED, _TRIM_PATIENCE_SECONDS = 8.0, 400, 20.0
_HOLD_SECONDS, _LONGEST_HOLD_SECONDS = 60.0, 900.0
_LIFTED_AFTER_SECONDS = 15.0
_STUCK_SECONDS, _SLOWER, _DOUBT_SECONDS = 15.0, 2.0, 300.0
_CPU_SHARE = 0.9


def verified(policy: Policy, history: History, view: View) -> History:
    """`history` with this interval measured, and a ceiling set, moved or lifted by what was measured."""
    if view.pressed is None:
        return _calm(history, view)
    seconds = saturated_seconds(view.run) or 0.0
    history = replace(history, levels=with_level(history, view.crew, view.mark, seconds))
    ceiling = history.ceiling
    if ceiling is not None and view.mark.at < ceiling.until:
        return replace(history, ceiling=_trimmed(policy, history, ceiling, view))
    if ceiling is not None and view.crew.ready <= ceiling.workers:
        return history
    if ceiling is None and _doubtful(policy, history, view):
        return replace(history, ceiling=_trial(policy, history, view), doubted_at=view.mark.at)
    passed = _passed(history.levels) if ceiling is None else _passed_again(history.levels)
    if passed is None:
        return history
    if passed:
        return replace(history, ceiling=None)
    return replace(history, ceiling=_ceiling(policy, history, view))


def allowed(history: History, at: float) -> int | None:
    """Workers the ceiling allows: itself while it holds, then a step that can be judged; None without one."""
    ceiling = history.ceiling
    if ceiling is None:
        return None
    return ceiling.workers if at < ceiling.until else math.ceil(_APART * ceiling.workers) + 1


def pays(history: History) -> bool | None:
    """Whether the last step is seen to raise throughput, without waiting for certainty; None: too little to say."""
    high, low = _samples(history.levels)
    if high.finished < _JUDGED_LOW or low.finished < _JUDGED_LOW:
        return None
    return high.per_second / low.per_second > 1.0 + PASS_SHARE * (high.ready / low.ready - 1.0)


def _doubtful(policy: Policy, history: History, view: View) -> bool:
    """Saturated for 15 s at one count, requests take twice what they take in calm, and not for want of cores.

    Then either requests have really become long, or so many at once are what slows them. Where no smaller count on
    record shows that workers pay, the only way to know is to try fewer.
    """
    level = history.levels[-1]
    rested = history.doubted_at is None or view.mark.at - history.doubted_at >= _DOUBT_SECONDS
    if not rested or level.last.at - level.first.at < _STUCK_SECONDS or view.crew.booting:
        return False
    if view.service is None or not trusted(history.learned):
        return False
    slower = (saturated_seconds(view.run) or 0.0) > _SLOWER * view.service.seconds
    fewest = max(policy.min_workers, _floor(history))
    return slower and pays(history) is not True and not cores_full(policy, view) and level.ready > fewest


def _trial(policy: Policy, history: History, view: View) -> Ceiling:
    """A first step down; the verdict is still open."""
    level = history.levels[-1]
    now = throughput([level])
    fewer = min(level.ready - 1, math.ceil(_trim_share(now.finished) * level.ready))
    return Ceiling(
        workers=max(policy.min_workers, _floor(history), fewer),
        good=level.ready,
        best=now.per_second,
        verdict=Bottleneck.WORKERS,
        until=view.mark.at + _HOLD_SECONDS,
        hold_seconds=_HOLD_SECONDS,
        set_at=view.mark.at,
        trimming=True,
    )


def _trim_share(finished: int) -> float:
    """A fifth fewer; half where so few requests finish that a fifth could not be told from chance."""
    return _TRIM_SHARE if finished >= _TRIM_FINISHED else 0.5


def _passed(levels: tuple[Level, ...]) -> bool | None:
    """r - 1 + 2 r sqrt(1/lo + 1/hi) < 0.4 (g - 1) fails: even two sigma up, less than 40 % of linear gain."""
    high, low = _samples(levels)
    if high.seconds < _JUDGED_SECONDS or high.finished < _JUDGED_HIGH or low.finished < _JUDGED_LOW:
        return None
    ratio, growth = high.per_second / low.per_second, high.ready / low.ready
    luck = 2.0 * ratio * math.sqrt(1.0 / low.finished + 1.0 / high.finished)
    return ratio - 1.0 + luck >= PASS_SHARE * (growth - 1.0)


def _passed_again(levels: tuple[Level, ...]) -> bool | None:
    """A second trial takes longer and has to show its gain, where the first had to show its lack."""
    high, low = _samples(levels)
    if high.seconds < _TRIM_PATIENCE_SECONDS and (high.seconds < _TRIM_SECONDS or high.finished < _TRIM_FINISHED):
        return None
    return low.finished > 0 and high.per_second > low.per_second * (1.0 + PASS_SHARE * (high.ready / low.ready - 1.0))


def _samples(levels: tuple[Level, ...]) -> tuple[Throughput, Throughput]:
    """(now, before): the latest levels near the present count, and before them 10 s with clearly fewer workers."""
    if not levels:
        return throughput(()), throughput(())
    now, start = levels[-1].ready, len(levels)
    while start and _NEAR * now <= levels[start - 1].ready <= now / _NEAR:
        start -= 1
    fewer, seconds = [], 0.0
    for level in reversed(levels[:start]):
        if 0 < level.ready * _APART <= now and seconds < _LOW_SECONDS:
            fewer.append(level)
            seconds += level.last.at - level.first.at
    return throughput(levels[start:]), throughput(fewer)


def _best(levels: tuple[Level, ...]) -> tuple[int, float]:
    """(workers, requests per second): the least count that was measured to do as much as any."""
    measured = [(level.ready, throughput([level])) for level in levels]
    solid = [(ready, one.per_second, one.finished) for ready, one in measured if one.finished >= _SOLID_FINISHED]
    high, _ = _samples(levels)
    best = max([high.per_second, *(rate * (1.0 - 2.0 / math.sqrt(finished)) for _, rate, finished in solid)])
    return min([ready for ready, rate, _ in solid if rate >= _KEPT_SHARE * best] or [levels[-1].ready]), best


def _ceiling(policy: Policy, history: History, view: View) -> Ceiling:
    """Back to the least count that was measured to do as much, or at once to what the work takes by Little's law."""
    levels, before = history.levels, history.ceiling
    good, best = _best(levels)
    hold = _HOLD_SECONDS
    if before is not None:
        high, low = _samples(levels)
        some = low.finished > 0 and high.per_second > _SOME_GAIN * low.per_second
        good = workers = levels[-1].ready if some else before.workers
        hold = before.hold_seconds if some else min(_LONGEST_HOLD_SECONDS, 2.0 * before.hold_seconds)
    else:
        workers = max(_floor(history), min(good, _by_little(view, best)))
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


def _by_little(view: View, per_second: float) -> int:
    """1.25 X s + 1: slots that throughput X keeps busy when a request takes what it takes in calm (L = lambda W)."""
    onset = view.run[0]
    seconds = view.service.seconds if view.service else 0.0
    if onset.useful is not None and onset.finished:
        seconds = max(seconds, min(onset.useful * onset.seconds / onset.finished, 2.0 * seconds))
    return workers_for(math.ceil(1.25 * per_second * seconds) + 1, view.snapshot.threads)


def _least(view: View, per_second: float) -> int:
    """X s + 1: fewer could not do what is done now, even if requests took what they take in calm."""
    seconds = view.service.seconds if view.service else 0.0
    return workers_for(math.ceil(per_second * seconds) + 1, view.snapshot.threads)


def _floor(history: History) -> int:
    """Workers there were when the pressure began: never below them."""
    return history.pressed_from.ready if history.pressed_from is not None else 1


def _verdict(policy: Policy, view: View) -> Bottleneck:
    cores = cores_of(policy, view.snapshot.host)
    used = (view.fast.cpu or 0.0) + view.fast.boot_cpu
    return Bottleneck.CPU if cores is not None and used > _CPU_SHARE * cores else Bottleneck.DOWNSTREAM


def _trimmed(policy: Policy, history: History, ceiling: Ceiling, view: View) -> Ceiling | None:
    """A fifth fewer at a time, as long as throughput stays: the least count on the plateau, or the top of the hill.

    Throughput that rises without a worker more means that what was slow is so no longer: no ceiling.
    """
    level = history.levels[-1]
    since = throughput([level])
    enough = since.seconds >= _TRIM_SECONDS and since.finished >= _TRIM_FINISHED
    if level.ready > ceiling.workers or level.first.at < ceiling.set_at:
        return ceiling
    if not enough and since.seconds < max(_TRIM_PATIENCE_SECONDS, saturated_seconds(view.run) or 0.0):
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


def _calm(history: History, view: View) -> History:
    """Levels end with the run of pressure; a ceiling is lifted by calm with room to spare."""
    ceiling = history.ceiling
    if history.pressed_from is None and history.levels:
        history = replace(history, levels=())
    if ceiling is None or view.mark.at - history.calm_from < _LIFTED_AFTER_SECONDS:
        return history
    busy = view.fast.busy
    return replace(history, ceiling=None) if busy is not None and busy < 0.7 * view.crew.slots else history
