"""How many tasks the pids controller grants; the files are the same in cgroup v1 and v2."""

from __future__ import annotations

from gunicorn_autotune.sensors.files import parse_max, read_count
from gunicorn_autotune.sensors.walk import Grant, limit_in, tightest


def read_pids_grant(levels: tuple[str, ...]) -> Grant:
    """Tasks (threads count too) allowed and present, both at the level with the tightest pids.max."""
    limit, level = tightest(levels, lambda level: limit_in(f"{level}/pids.max", parse_max))
    return Grant(limit, read_count(f"{level}/pids.current"))
