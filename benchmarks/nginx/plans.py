"""When requests leave to meet connections that expire. Pure.

The shape of the traffic decides whether the race shows. A burst opens many connections; most of them then stand idle
until one of the two sides closes them. A request that leaves on one while Gunicorn closes it gets no answer.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

BURST = 16
BETWEEN_BURSTS = (1.5, 3.5)
BETWEEN_SINGLES = (0.3, 0.9)
"""Seconds. The single requests keep worker loops turning at odd moments."""
AIMED_GAPS = (2.0, 4.0, 10.0)
"""The guides' keepalive and our keepalive_time; our keepalive_timeout; our Gunicorn's keepalive. Seconds."""
AIMED_SPREAD = 0.02
AIMED_EVERY = 4
"""Each such site gets aimed gaps, the others bursts."""
BURSTS, AIMED = "bursts", "aimed"

Moment = tuple[float, int]
"""(seconds from the start, number of the site)."""


def plan(sites: int, seconds: float, seed: int) -> list[Moment]:
    """All requests to so many sites, each on a course of its own, in the order they leave."""
    found: list[Moment] = []
    for site in range(sites):
        chance = random.Random(seed * 1000 + site)
        moments = aimed(seconds, chance) if kind_of(site) == AIMED else bursts(seconds, chance)
        found += [(moment, site) for moment in moments]
    return sorted(found)


def kind_of(site: int) -> str:
    """What traffic a site gets."""
    return AIMED if site % AIMED_EVERY == AIMED_EVERY - 1 else BURSTS


def bursts(seconds: float, chance: random.Random) -> Iterator[float]:
    """BURST at once every few seconds, and single requests in between."""
    for at in course(seconds, chance, [BETWEEN_BURSTS]):
        yield from [at] * BURST
    yield from course(seconds, chance, [BETWEEN_SINGLES])


def aimed(seconds: float, chance: random.Random) -> Iterator[float]:
    """BURST at once, then nothing until the very moment when one side would close."""
    gaps = [(gap - AIMED_SPREAD, gap + AIMED_SPREAD) for gap in AIMED_GAPS]
    for at in course(seconds, chance, gaps):
        yield from [at] * BURST


def course(seconds: float, chance: random.Random, gaps: Sequence[tuple[float, float]]) -> Iterator[float]:
    """Moments with gaps drawn from the ranges in turn, until `seconds`."""
    at, number = chance.uniform(0.0, 2.0), 0
    while at < seconds:
        yield at
        at += chance.uniform(*gaps[number % len(gaps)])
        number += 1
