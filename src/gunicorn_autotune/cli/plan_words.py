"""Figures of `plan` in words."""

from __future__ import annotations

from gunicorn_autotune.cli.style import bytes_text, figure, seconds_text
from gunicorn_autotune.model.readings import Limit, Missing, Unlimited


def time_text(seconds: float) -> str:
    """`8.4 ms` below a second, `1 min 30 s` above."""
    return seconds_text(seconds) if seconds >= 0.9995 else f"{figure(seconds * 1000)} ms"


def share_text(share: float) -> str:
    """`37 %`; what is there but below one in a hundred is `below 1 %`."""
    return "below 1 %" if 0.0 < share < 0.01 else f"{100 * share:.0f} %"


def rate_text(per_second: float) -> str:
    """`37 requests/s`."""
    return f"{figure(per_second)} requests/s"


def cores_text(cores: float) -> str:
    """`1 core`, `0.5 cores`."""
    return f"{figure(cores)} {'core' if cores == 1 else 'cores'}"


def limit_text(limit: Limit[int]) -> str:
    """Bytes, `no limit` or `?`."""
    if isinstance(limit, Unlimited):
        return "no limit"
    return "?" if isinstance(limit, Missing) else bytes_text(limit)
