"""Saturated throughput of more workers against fewer: did the last growth pay?

Saturated is compared with saturated, never with the time before the pressure: a database that became slow would make
every step look useless. Judging one's own step is the idea of .NET's hill climbing and Uber's Cinnamon; here it only
ever vetoes.
"""

from __future__ import annotations

import math

from gunicorn_autotune.law.crew import EVENT_LOOP_FROM
from gunicorn_autotune.law.levels import Throughput, throughput
from gunicorn_autotune.model.history import History, Level

PASS_SHARE = 0.4
"""A growth must bring this share of its linear gain (.NET's bias is 0.15; a bottleneck brings 0)."""
APART = 1.3
_NEAR = 0.9
_FED_SHARE = 0.85
STARVES_SECONDS = 120.0
"""With nginx's defaults a new worker had its share after 79 s at most; without an end nothing would bound growth."""
_JUDGED_SECONDS, _JUDGED_HIGH, _JUDGED_LOW = 3.0, 30, 10
_LOW_SECONDS = 10.0
LONG_SECONDS, LONG_FINISHED, PATIENCE_SECONDS = 8.0, 400, 20.0
"""What a second trial and a step down are measured for: a loss of 2 % should not be chance."""


def pays(history: History) -> bool | None:
    """Whether the last step is seen to raise throughput, without waiting for certainty; None: too little to say."""
    high, low = samples(history.levels)
    if high.finished < _JUDGED_LOW or low.finished < _JUDGED_LOW:
        return None
    return _gains(high, low)


def passed(levels: tuple[Level, ...], slots_each: float) -> bool | None:
    """r - 1 + 2 r sqrt(1/lo + 1/hi) < 0.4 (g - 1) fails: even two sigma up, less than 40 % of linear gain.

    None while too little is measured, or, for two minutes, while the workers are less busy than before: that says
    nothing of them.
    """
    high, low = samples(levels)
    if high.seconds < _JUDGED_SECONDS or high.finished < _JUDGED_HIGH or low.finished < _JUDGED_LOW:
        return None
    ratio, growth = high.per_second / low.per_second, high.ready / low.ready
    luck = 2.0 * ratio * math.sqrt(1.0 / low.finished + 1.0 / high.finished)
    if ratio - 1.0 + luck >= PASS_SHARE * (growth - 1.0):
        return True
    starves = levels[-1].last.at - levels[-1].born_at < STARVES_SECONDS
    return None if starves and _starved(high, low, slots_each) else False


def _starved(high: Throughput, low: Throughput, slots_each: float) -> bool:
    """Whether requests wait and yet workers are less busy than fewer of them were: the new ones lack traffic.

    Behind kept-alive connections a new worker may get a trickle for a minute. Where something behind the workers is
    short, all of them stay as busy as before, waiting for it. An event loop is no measure: its slots are never full.
    """
    if slots_each >= EVENT_LOOP_FROM or high.busy_each is None or low.busy_each is None:
        return False
    return high.busy_each < _FED_SHARE * low.busy_each


def passed_again(levels: tuple[Level, ...]) -> bool | None:
    """A second trial takes longer and has to show its gain, where the first had to show its lack."""
    high, low = samples(levels)
    if high.seconds < PATIENCE_SECONDS and (high.seconds < LONG_SECONDS or high.finished < LONG_FINISHED):
        return None
    return low.finished > 0 and _gains(high, low)


def _gains(high: Throughput, low: Throughput) -> bool:
    """The pass mark, chance aside."""
    return high.per_second > low.per_second * (1.0 + PASS_SHARE * (high.ready / low.ready - 1.0))


def samples(levels: tuple[Level, ...]) -> tuple[Throughput, Throughput]:
    """(now, before): the latest levels near the present count, and before them 10 s with clearly fewer workers."""
    if not levels:
        return throughput(()), throughput(())
    now, start = levels[-1].ready, len(levels)
    while start and _NEAR * now <= levels[start - 1].ready <= now / _NEAR:
        start -= 1
    fewer, seconds = [], 0.0
    for level in reversed(levels[:start]):
        if 0 < level.ready * APART <= now and seconds < _LOW_SECONDS:
            fewer.append(level)
            seconds += level.last.at - level.first.at
    return throughput(levels[start:]), throughput(fewer)
