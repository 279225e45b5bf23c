"""What a run is worth: from its answers and from what was seen of the server. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from benchmarks.openloop import Request, time_back_under
from benchmarks.openloop.results import NOT_SENT, per_second, percentile

LATE_SECONDS = (0.05, 0.25)
"""Over what the request would have taken on an unloaded server."""
GOOD_SECONDS = 0.15
"""Of a p95, beyond the request's own work: 250 ms for a request of 100 ms."""
REVERSAL_SECONDS = 60.0
MAX_LATENESS_SECONDS, MAX_LATE_SENT_SHARE = 0.01, 0.005
"""So many requests may leave later than that, by the generator's own fault; the bound for late is five times that."""
MAX_BLIND_SECONDS = 2.0
"""Between two looks."""
MAX_OTHERS_CORES = 0.1
Look = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """One run as it came from the machine; moments are on the clock of the looks."""

    answers: Sequence[Request]
    own_seconds: Sequence[float]
    """What each request would have taken alone."""
    looks: Sequence[Look]
    began: float
    seconds: float
    """Of the load."""
    step_at: float | None
    cpu_seconds: float
    oom_kills: int | None
    others_cores: float
    """Used by processes that have no part in this, on average."""


def figures(seen: Seen) -> dict[str, Any]:
    """Shares run 0..1; None for what was never reached, as a failed request is endlessly slow."""
    latencies = sorted(one.latency_seconds for one in endless(seen.answers))
    beyond = excesses(seen)
    failed = Counter(one.failure for one in seen.answers if one.failure is not None)
    found: dict[str, Any] = {
        "requests": len(seen.answers),
        "failed": failed.total(),
        "failed_by_kind": dict(failed.most_common()),
        **{f"late_{bound * 1e3:.0f}_share": late_share(beyond, bound) for bound in LATE_SECONDS},
        **{f"p{rank}_seconds": percentile(latencies, rank / 100) for rank in (50, 95, 99)},
        "throughput": throughput(seen),
        "cpu_seconds_per_request": seen.cpu_seconds / max(1, len(seen.answers) - failed.total()),
        "oom_kills": seen.oom_kills,
        "lateness_p99_seconds": percentile(sorted(one.lateness_seconds for one in seen.answers), 0.99),
        "late_sent_share": late_sent(seen),
        "blind_seconds": blind(seen),
        "others_cores": seen.others_cores,
    }
    if seen.step_at is not None:
        back = time_back_under(beyond, GOOD_SECONDS, seen.step_at)
        found["back_seconds"] = None if back is None else back - seen.step_at
    return {name: _plain(value) for name, value in (found | of_workers(seen)).items()}


def why_invalid(found: Mapping[str, Any]) -> str:
    """What spoilt the run; empty when nothing did."""
    if found["late_sent_share"] > MAX_LATE_SENT_SHARE:
        return f"the generator was late with {found['late_sent_share']:.1%} of the requests"
    if found["failed_by_kind"].get(NOT_SENT):
        return f"the generator could not send {found['failed_by_kind'][NOT_SENT]} requests"
    if found["blind_seconds"] > MAX_BLIND_SECONDS:
        return f"nobody looked at the server for {found['blind_seconds']:.1f} s"
    if found["others_cores"] > MAX_OTHERS_CORES:
        return f"others used {found['others_cores']:.2f} cores"
    return ""


def late_sent(seen: Seen) -> float:
    """Share of the requests that the generator sent later than MAX_LATENESS_SECONDS after their moment."""
    late = sum(one.lateness_seconds > MAX_LATENESS_SECONDS for one in seen.answers)
    return late / max(1, len(seen.answers))


def during(seen: Seen) -> list[Look]:
    """The looks while the load lasted."""
    return [one for one in seen.looks if 0 <= one["at"] - seen.began <= seen.seconds]


def blind(seen: Seen) -> float:
    """The longest time of the load without a look."""
    ends = [seen.began, *(one["at"] for one in during(seen)), seen.began + seen.seconds]
    return max(later - earlier for earlier, later in pairwise(ends))


def excesses(seen: Seen) -> list[Request]:
    """Every answer with what it took beyond its own work as its latency."""
    return [
        replace(answer, latency_seconds=answer.latency_seconds - own)
        for answer, own in zip(seen.answers, seen.own_seconds, strict=True)
    ]


def endless(answers: Sequence[Request]) -> list[Request]:
    """The answers, those that failed as good ones that never came: a percentile then counts them."""
    return [replace(one, latency_seconds=math.inf, status=200, error=None) if one.failure else one for one in answers]


def late_share(beyond: Sequence[Request], bound_seconds: float) -> float:
    """Of all requests, by their excesses; one that failed is late."""
    late = sum(one.failure is not None or one.latency_seconds > bound_seconds for one in beyond)
    return late / max(1, len(beyond))


def throughput(seen: Seen) -> float:
    """Good answers a second until the load ended."""
    good = (one.scheduled_seconds + one.latency_seconds for one in seen.answers if one.failure is None)
    return sum(moment <= seen.seconds for moment in good) / seen.seconds


def of_workers(seen: Seen) -> dict[str, Any]:
    """While the load lasted."""
    looks = during(seen)
    if not looks:
        raise ValueError("nobody looked at the server during the run")
    end = seen.began + seen.seconds
    counts = [(one["at"], one["workers"]) for one in looks]
    worker_seconds = _integral(counts, seen.began, end)
    memory = [(one["at"], one["pss_bytes"]) for one in looks if "pss_bytes" in one]
    actions, reversals = moves(counts)
    return {
        "worker_seconds": worker_seconds,
        "mean_workers": worker_seconds / seen.seconds,
        "most_workers": max(count for _, count in counts),
        "gb_seconds": _integral(memory, seen.began, end) / 1e9 if memory else None,
        "actions": actions,
        "reversals": reversals,
    }


def moves(counts: Sequence[tuple[float, int]]) -> tuple[int, int]:
    """Actions and reversals of (moment, workers): looks in a row that change it one way are one action.

    A reversal is an action against the one before it within REVERSAL_SECONDS.
    """
    found: list[tuple[float, int]] = []
    still = True
    for (_, before), (at, now) in pairwise(counts):
        way = (now > before) - (now < before)
        if way and (still or found[-1][1] != way):
            found.append((at, way))
        still = not way
    turns = pairwise(found)
    return len(found), sum(a[1] != b[1] and b[0] - a[0] <= REVERSAL_SECONDS for a, b in turns)


def _integral(points: Sequence[tuple[float, float]], began: float, end: float) -> float:
    # Each value holds until the next; the first also before it.
    begins = [began, *(at for at, _ in points[1:])]
    spans = zip(points, begins, [*begins[1:], end], strict=True)
    return sum(value * (until - at) for (_, value), at, until in spans)


def series(seen: Seen, offered: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """The run over time, for a plot: second by second, and the count of workers whenever it changed."""
    inside = [(one["at"] - seen.began, one["workers"]) for one in seen.looks]
    inside = [(max(0.0, at), count) for at, count in inside if at <= seen.seconds]
    changes = [one for one, before in zip(inside, [None, *inside], strict=False) if not before or before[1] != one[1]]
    return {
        "seconds": seen.seconds,
        "offered": [list(one) for one in offered],
        "per_second": [
            {"second": row["second"], "arrivals": row["count"], "failed": row["failed"],
             "p95_seconds": _plain(felt["p95_seconds"])}
            for row, felt in zip(per_second(seen.answers), per_second(endless(seen.answers)), strict=True)
        ],
        "workers": [[round(at, 2), count] for at, count in changes],
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """For JSON: five significant digits, None for never."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.5g}") if math.isfinite(value) else None
