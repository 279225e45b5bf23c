"""The figures, from what was seen. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchmarks.openloop import Request
from benchmarks.openloop.connection import KEPT
from benchmarks.openloop.results import percentile

EXAMPLES = 5
FLAT_ERRORS = 2.0
FLAT_SHARE_A_DAY = 0.01
WARM_SHARE = 1 / 3
"""Of a soak: caches fill, the first reload has its pages copied; slopes are of the rest."""

Event = tuple[float, str, int]
"""(seconds, `up` or `down`, pid)."""
Point = tuple[float, "float | None"]


@dataclass(frozen=True)
class Slope:
    """A line through points by least squares; neighbours are alike, so the true error is rather larger."""

    per_hour: float
    error_per_hour: float
    mean: float

    @property
    def flat(self) -> bool:
        """Within FLAT_ERRORS standard errors of none, or below FLAT_SHARE_A_DAY of the mean."""
        if abs(self.per_hour) <= FLAT_ERRORS * self.error_per_hour:
            return True
        return abs(self.per_hour) * 24.0 < FLAT_SHARE_A_DAY * abs(self.mean)


def slope(points: Sequence[Point], beside: Sequence[float] = ()) -> Slope | None:
    """Of (seconds, value); None when fewer than three values, or one moment only, are known.

    With `beside`, a figure for each point, the slope is what is left with that figure held equal: least squares of
    time and value, each less its own line over `beside` (Frisch and Waugh).
    """
    known = [
        (at / 3600.0, value, beside[number] if beside else 0.0)
        for number, (at, value) in enumerate(points)
        if value is not None and math.isfinite(value)
    ]
    if len(known) < (4 if beside else 3):
        return None
    hours, values, others = ([row[column] for row in known] for column in range(3))
    xs, ys = without(hours, others), without(values, others)
    spread = sum(x * x for x in xs)
    if spread <= 1e-12:
        return None
    per_hour = sum(x * y for x, y in zip(xs, ys, strict=True)) / spread
    rest = sum((y - per_hour * x) ** 2 for x, y in zip(xs, ys, strict=True))
    free = len(known) - (3 if beside else 2)
    return Slope(per_hour, math.sqrt(rest / free / spread), fmean(values))


def without(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """What the straight line of `values` over `others` leaves; with all others alike, the distance from the mean."""
    mean, middle = fmean(values), fmean(others)
    spread = sum((other - middle) ** 2 for other in others)
    tilt = 0.0
    if spread > 0.0:
        tilt = sum((other - middle) * (value - mean) for other, value in zip(others, values, strict=True)) / spread
    return [value - mean - tilt * (other - middle) for other, value in zip(others, values, strict=True)]


def warm(points: Sequence[Point]) -> list[Point]:
    """Those after the first WARM_SHARE of the time."""
    if not points:
        return []
    begin, end = points[0][0], points[-1][0]
    return [point for point in points if point[0] >= begin + WARM_SHARE * (end - begin)]


def events_of(text: str) -> list[Event]:
    """Every whole line `at what pid`; a line cut short by its writer's death is left out."""
    found = []
    for line in text.splitlines(keepends=True):
        words = line.split()
        if line.endswith("\n") and len(words) == 3 and words[1] in ("up", "down"):
            found.append((float(words[0]), words[1], int(words[2])))
    return sorted(found)


def lowest_up(events: Iterable[Event], begin: float, end: float) -> int | None:
    """The fewest workers up at once from `begin` to `end`; None when nothing is known by then.

    A worker is down with the first word of it, its own or the arbiter's; the second one changes nothing.
    """
    up: set[int] = set()
    lowest: int | None = None
    known = False
    for at, what, pid in events:
        if at > end:
            break
        if at > begin and lowest is None and known:
            lowest = len(up)
        (up.add if what == "up" else up.discard)(pid)
        known = True
        if at > begin:
            lowest = len(up) if lowest is None else min(lowest, len(up))
    return len(up) if lowest is None and known else lowest


def lowest_of(*counts: int | None) -> int | None:
    """The least that is known."""
    return min((count for count in counts if count is not None), default=None)


def rightly_answered(request: Request) -> bool:
    """With a 2xx."""
    return request.error is None and request.status is not None and 200 <= request.status < 300


def kind_of(request: Request) -> str:
    """What a request without a 2xx got instead."""
    return request.error or f"status {request.status}"


def answered(requests: Sequence[Request], seen: Counter[int] | None, posts_every: int = 0) -> dict[str, Any]:
    """How the requests fared; `seen` counts the numbers that reached the app, None where it was not asked.

    `send_again`: GETs that got no byte of an answer on a connection used before, and that the app never saw. HTTP has
    the client send those again (RFC 9110, 9.2.2), so they are told apart from the failed; a POST is failed.
    """
    good = sorted(one.latency_seconds for one in requests if rightly_answered(one))
    bad = [(number, one) for number, one in enumerate(requests) if not rightly_answered(one)]
    failed = [(number, one) for number, one in bad if not to_send_again(number, one, seen, posts_every)]
    return {
        "requests": len(requests),
        "posts": sum(is_post(number, posts_every) for number in range(len(requests))),
        "failed": len(failed),
        "failed_by_kind": dict(Counter(kind_of(one) for _, one in failed).most_common()),
        "failed_posts": sum(is_post(number, posts_every) for number, _ in failed),
        "examples": [example(number, one, seen, posts_every) for number, one in failed[:EXAMPLES]],
        "send_again": len(bad) - len(failed),
        "reached_twice": None if seen is None else sum(count > 1 for count in seen.values()),
        "p50_seconds": rounded(percentile(good, 0.5)),
        "p99_seconds": rounded(percentile(good, 0.99)),
        "max_seconds": rounded(percentile(good, 1.0)),
        "lateness_p99_seconds": rounded(percentile(sorted(one.lateness_seconds for one in requests), 0.99)),
    }


def is_post(number: int, posts_every: int) -> bool:
    """Whether request `number` is a POST: each `posts_every`th is, none when that is 0."""
    return bool(posts_every) and number % posts_every == posts_every - 1


def to_send_again(number: int, request: Request, seen: Counter[int] | None, posts_every: int) -> bool:
    """See `answered`."""
    if seen is None or is_post(number, posts_every) or request.error is None:
        return False
    return request.error.endswith(KEPT) and not seen[number]


def example(number: int, request: Request, seen: Counter[int] | None, posts_every: int) -> dict[str, Any]:
    """One failed request, to look into."""
    return {
        "at_seconds": round(request.scheduled_seconds, 2),
        "method": "POST" if is_post(number, posts_every) else "GET",
        "kind": kind_of(request),
        "after_seconds": round(request.latency_seconds, 3),
        "reached_the_app": None if seen is None else bool(seen[number]),
    }


def rounded(value: float | None) -> float | None:
    """Five digits after the point."""
    return None if value is None else round(value, 5)


def differences(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What has been counted since, zeros left out."""
    return {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}


def timeline(samples: Sequence[dict[str, Any]], began: float, seconds: float) -> list[list[float | None]]:
    """[second, largest memory in MiB, fewest ready workers] of each second of the load that was seen."""
    found: dict[int, list[dict[str, Any]]] = {}
    for sample in samples:
        at = sample["at"] - began
        if 0 <= at < seconds:
            found.setdefault(int(at), []).append(sample)
    return [[second, _most_mib(group), _fewest_ready(group)] for second, group in sorted(found.items())]


def _most_mib(samples: Sequence[dict[str, Any]]) -> float | None:
    used = [one["memory_bytes"] for one in samples if one.get("memory_bytes") is not None]
    return round(max(used) / 2**20, 1) if used else None


def _fewest_ready(samples: Sequence[dict[str, Any]]) -> float | None:
    return min((one["ready"] for one in samples if one.get("ready") is not None), default=None)
