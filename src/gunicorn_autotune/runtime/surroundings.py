"""What lies around the workers: listeners and host. A sensor that fails here or elsewhere is Missing, never an end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from gunicorn_autotune.model.readings import HostReading, ListenerReading, Missing
from gunicorn_autotune.model.status import Stage
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune
from gunicorn_autotune.sensors import cgroup, listeners

HAS_PROC = Path("/proc/self/stat").exists()
"""Without /proc (macOS) psutil reads what it can, and nothing is acted on."""
SLOW_SENSOR_SECONDS = 0.9
OOM_BLAME_SECONDS = 5.0
"""An OOM kill that no worker's end has explained by then was a neighbour's."""


def guarded(server: Any, tune: Autotune, sensor: str, read: Callable[[], Any]) -> Any:
    """`read()`, or Missing when it raises: counted, logged once per sensor, never acted on."""
    try:
        return read()
    except Exception as error:
        tune.tally.errors[Stage.READ] += 1
        if sensor not in tune.faults_logged:
            tune.faults_logged.add(sensor)
            server.log.exception(line("sensor failed (logged once)", sensor=sensor))
        return Missing(f"{sensor} raised {type(error).__name__}")


def read_listeners(server: Any, tune: Autotune) -> list[ListenerReading]:
    """The queue of every listening socket of this server."""
    if not server.LISTENERS and server.cfg.reuse_port:
        return [_read_reuse_port(server, tune, address) for address in server.cfg.address]
    return [_read_listener(server, tune, listener) for listener in server.LISTENERS]


def _read_listener(server: Any, tune: Autotune, listener: Any) -> ListenerReading:
    address = str(listener)
    reading = guarded(
        server, tune, f"listener {address}", lambda: listeners.read_listener(listener.sock, address, server.cfg.backlog)
    )
    return ListenerReading(address, reading, reading) if isinstance(reading, Missing) else reading


def _read_reuse_port(server: Any, tune: Autotune, address: Any) -> ListenerReading:
    """Under reuse_port each worker has its own socket and the arbiter none: ask for all sockets of the port."""
    reading = guarded(server, tune, "reuse_port", lambda: listeners.read_reuse_port(address, server.cfg.backlog))
    return ListenerReading(str(address), reading, reading) if isinstance(reading, Missing) else reading


def host_now(server: Any, tune: Autotune, now: float) -> HostReading:
    """Some fifteen small files: read once a second, which is soon enough for a limit that changes under us.

    At every tick while a worker boots, and once more when it is ready: the memory it takes now must not look free.
    """
    crew = (tune.tally.spawns, tune.sums.boots)
    moving = crew != tune.host_read_for or any(not tracked.was_ready for tracked in list(tune.tracked.values()))
    if tune.host is None or moving or now - tune.host_read_at >= SLOW_SENSOR_SECONDS:
        tune.host_read_at, tune.host_read_for = now, crew
        reading = guarded(server, tune, "host", lambda: read_host(tune))
        tune.host = HostReading(*[reading] * len(fields(HostReading))) if isinstance(reading, Missing) else reading
        _notice_changes(tune, tune.host)
        if not isinstance(tune.host.oom_kills, Missing):
            _settle_oom_kills(tune, tune.host.oom_kills, now)
    return tune.host


def _notice_changes(tune: Autotune, host: HostReading) -> None:
    # The smallest limit: that another one has the least room now is no change of a limit.
    for resource, limit in (("cpu", host.cpu_limit_cores), ("memory", host.memory_least_limit_bytes)):
        before = tune.limits_seen.get(resource)
        if before is not None and before != limit and not isinstance(limit, Missing):
            tune.tally.limit_changes[resource] += 1
        if not isinstance(limit, Missing):
            tune.limits_seen[resource] = limit


def _settle_oom_kills(tune: Autotune, kills: int, now: float) -> None:
    """What was there at first, or what nobody of ours died of for a while, explains no later death."""
    if tune.oom_kills_settled is None or kills <= tune.oom_kills_settled:
        tune.oom_kills_settled, tune.oom_kills_open_since = kills, None
    elif tune.oom_kills_open_since is None:
        tune.oom_kills_open_since = now
    elif now - tune.oom_kills_open_since >= OOM_BLAME_SECONDS:
        tune.oom_kills_settled, tune.oom_kills_open_since = kills, None


def read_host(tune: Autotune) -> HostReading:
    """What the host grants, from cgroups and /proc, or from psutil where there is no /proc."""
    if not HAS_PROC:
        from gunicorn_autotune.sensors import host_psutil

        return host_psutil.read_host()
    if tune.cgroups is None:
        tune.cgroups = cgroup.find_cgroup()
    return cgroup.read_host(tune.cgroups)
