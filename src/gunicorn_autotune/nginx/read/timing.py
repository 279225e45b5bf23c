"""The timing log (format `autotune`): where a request's time went, as percentiles.

A line holds `rt=$request_time uct=$upstream_connect_time uht=$upstream_header_time urt=$upstream_response_time`, in any
order, anywhere; the status as `status=502` or right after the quoted request line, as in `combined`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

_QUOTED = re.compile(r'"[^"]*(?:"|$)')
_NUMBER = r"(?:-|[0-9]+(?:\.[0-9]+)?)"
_PAIR = re.compile(rf"(?:^|\s)(rt|uct|uht|urt|status)=({_NUMBER}(?:\s*[,:]\s*{_NUMBER})*)(?=\s|$)")
_STATUS = re.compile(r'"" ([0-9]{3})(?=\s|$)')


@dataclass(frozen=True, slots=True)
class Timing:
    """Percentiles of the last lines of a timing log (format `autotune`), in seconds."""

    requests: int
    p50_seconds: float
    p99_seconds: float
    """Of $upstream_response_time."""
    connect_p99_seconds: float
    request_p99_seconds: float
    """Of $request_time: what the client waited."""
    failed: int = 0
    """Answers 500 and above."""


def times(line: str) -> dict[str, float]:
    """`rt`, `uct`, `uht`, `urt` in seconds and `status` of one line; what is `-` or not there is left out.

    After retries nginx writes a list, `0.002, 0.031`, and after an internal redirect `0.002 : 0.031`: the last counts.
    """
    # A client may send `urt=9` as its user agent: no quoted part counts, not even one that is cut off.
    bare = _QUOTED.sub('""', line)
    status = _STATUS.search(bare)
    found = {"status": status[1]} if status else {}
    found |= {name: re.split(r"[,:]", value)[-1].strip() for name, value in _PAIR.findall(bare)}
    return {name: float(value) for name, value in found.items() if value != "-"}


def timing(lines: Iterable[str]) -> Timing | None:
    """Percentiles over the lines of requests that reached Gunicorn; None when there is no such line."""
    read = [found for found in map(times, lines) if "rt" in found]
    passed_on = [found for found in read if "urt" in found]
    if not passed_on:
        return None
    responses = [found["urt"] for found in passed_on]
    return Timing(
        requests=len(passed_on),
        p50_seconds=percentile(responses, 0.5),
        p99_seconds=percentile(responses, 0.99),
        connect_p99_seconds=percentile([found.get("uct", 0.0) for found in passed_on], 0.99),
        request_p99_seconds=percentile([found["rt"] for found in passed_on], 0.99),
        failed=sum(found.get("status", 0.0) >= 500 for found in read),
    )


def percentile(values: list[float], share: float) -> float:
    """The least value that at least `share` of them do not exceed (nearest rank); `values` must not be empty."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]
