"""What comes in: requests per second, second by second, and the arrivals drawn from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

DAY_PROFILE = (
    0.45, 0.36, 0.30, 0.26, 0.23, 0.24, 0.30, 0.45, 0.66, 0.84, 0.92, 0.96,
    0.98, 1.00, 1.00, 0.98, 0.92, 0.80, 0.68, 0.64, 0.62, 0.62, 0.58, 0.52,
)  # fmt: skip
"""A working day by the hour, peak 1: the shape of the NASA-HTTP log of July 1995 (ita.ee.lbl.gov), smoothed."""

_CLUMP_AT = 0.03
"""Seconds into each second; a tick of 0.25 s comes much later."""


@dataclass(frozen=True, slots=True)
class Load:
    """Mean arrivals of each second; `clumped`: all of a second come at once, between two ticks."""

    rates: tuple[float, ...]
    clumped: bool = False

    @property
    def seconds(self) -> int:
        """How long it lasts."""
        return len(self.rates)

    def arrivals(self, random: Random) -> list[float]:
        """Times of arrival, a Poisson number in each second; rising."""
        times: list[float] = []
        for second, rate in enumerate(self.rates):
            count = poisson(random, rate)
            times += (
                [second + _CLUMP_AT] * count if self.clumped else sorted(second + random.random() for _ in range(count))
            )
        return times


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests as somebody else sent them, in order of arrival."""

    seconds: int
    requests: tuple[tuple[float, float, float], ...]
    """(arrived at, CPU seconds, seconds of waiting); the application's own means do not count."""


def steps(*parts: tuple[float, float]) -> Load:
    """`(seconds, requests per second)`, one after the other."""
    return Load(tuple(rate for seconds, rate in parts for _ in range(round(seconds))))


def bursts(seconds: int, *, every: float, lasting: float, low: float, high: float) -> Load:
    """`high` for `lasting` seconds at the end of each `every`, else `low`."""
    return Load(tuple(high if second % every >= every - lasting else low for second in range(seconds)))


def day(seconds: int, *, peak: float, low: float = 0.0) -> Load:
    """A day compressed into `seconds`, linear between the hours."""
    rates = []
    for second in range(seconds):
        hour = second / seconds * 24.0
        before, after = DAY_PROFILE[int(hour)], DAY_PROFILE[(int(hour) + 1) % 24]
        rates.append(max(low, peak * (before + (after - before) * (hour % 1.0))))
    return Load(tuple(rates))


def noisy(load: Load, seed: int, share: float = 0.3, spike_every: float = 0.0) -> Load:
    """`load` with slow noise of `share` (one standard deviation, 20 s memory) and a doubling now and then."""
    random, drift, rates, spike = Random(seed), 0.0, [], 0.0
    keep = math.exp(-1.0 / 20.0)
    for rate in load.rates:
        drift = drift * keep + random.gauss(0.0, share * math.sqrt(1.0 - keep * keep))
        spike = max(0.0, spike - 1.0)
        if spike_every and random.random() < 1.0 / spike_every:
            spike = random.uniform(5.0, 30.0)
        rates.append(max(0.0, rate * (1.0 + drift) * (2.0 if spike else 1.0)))
    return Load(tuple(rates), load.clumped)


def at_once(load: Load) -> Load:
    """`load` with all arrivals of a second at its beginning."""
    return Load(load.rates, clumped=True)


def poisson(random: Random, mean: float) -> int:
    """A Poisson number: by products up to 30 (Knuth), by the normal above."""
    if mean > 30.0:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count
