"""One look at the world: rows, processes, listeners and host become one Snapshot. A sensor that fails is Missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from gunicorn_autotune.model.readings import HostReading, ListenerReading, Missing, Reading, known
from gunicorn_autotune.model.snapshot import Snapshot, Totals, WorkerReading, WorkerState
from gunicorn_autotune.model.status import Stage
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.scoreboard import board, layout
from gunicorn_autotune.sensors import cgroup, listeners, memory, process

HAS_PROC = Path("/proc/self/stat").exists()
"""Without /proc (macOS) psutil reads what it can, and nothing is acted on."""
NOT_RECORDED = Missing("this worker class does not report its requests")


def look(server: Any, tune: Autotune) -> Snapshot:
    """Everything the law may know, now."""
    now_ns = time.monotonic_ns()
    rows = [tune.board.row(slot).tolist() for slot in range(tune.slots_used)]
    _keep_busy_maxima(tune, rows, now_ns)
    workers = _read_workers(server, tune, rows, now_ns)
    return Snapshot(
        at=now_ns / 1e9,
        workers=workers,
        listeners=tuple(_read_listeners(server, tune)),
        host=_read_host(server, tune),
        totals=_totals(tune, rows),
        target=server.num_workers,
        threads=tune.threads,
        frozen=tune.frozen,
        held_until=tune.held_until,
        boot_backoff_until=tune.boot_backoff_until,
    )


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


def _keep_busy_maxima(tune: Autotune, rows: list[list[int]], now_ns: int) -> None:
    maxima = tune.sums.busy_ns
    maxima.extend([0] * (len(rows) - len(maxima)))
    for slot, words in enumerate(rows):
        maxima[slot] = max(maxima[slot], board.busy_ns(words, now_ns))


def _read_workers(
    server: Any, tune: Autotune, rows: list[list[int]], now_ns: int
) -> tuple[WorkerReading, ...]:  # fmt: skip
    pids = {id(worker): pid for pid, worker in list(server.WORKERS.items())}
    followed = [tracked for tracked in list(tune.tracked.values()) if id(tracked.worker) in pids]
    _read_one_memory(server, tune, followed, pids)
    return tuple(_read_worker(server, tune, tracked, pids[id(tracked.worker)], rows, now_ns) for tracked in followed)


def _read_worker(
    server: Any, tune: Autotune, tracked: Tracked, pid: int, rows: list[list[int]], now_ns: int
) -> WorkerReading:  # fmt: skip
    words = rows[tracked.slot] if tracked.slot is not None else [0] * layout.ROW_WORDS
    ready_ns = words[layout.READY_NS]
    if tracked.slot is None:
        ready_ns = int(tracked.spawned_at * 1e9)
    reading = guarded(server, tune, "process", lambda: _read_process(tracked, pid))
    cpu = getattr(reading, "cpu_seconds", reading)
    delay = getattr(reading, "run_delay_seconds", reading)
    rss = getattr(reading, "rss_bytes", reading)
    _account_cpu(tune, tracked, cpu, delay, ready=bool(ready_ns))
    _write_arbiter_words(tracked, pid, rss)
    in_flight = board.in_flight(words)
    oldest_ns = board.oldest_ns(words)
    return WorkerReading(
        slot=tracked.slot,
        pid=pid,
        age=tracked.age,
        state=_state(tracked, ready_ns, in_flight),
        spawned_at=tracked.spawned_at,
        ready_at=ready_ns / 1e9 if ready_ns else None,
        in_flight=in_flight,
        queued=words[layout.QUEUED],
        oldest_request_seconds=max(0, now_ns - oldest_ns) / 1e9 if oldest_ns else 0.0,
        requests=board.finished(words),
        busy_seconds=tune.sums.busy_ns[tracked.slot] / 1e9 if tracked.slot is not None else 0.0,
        cpu_seconds=cpu,
        run_delay_seconds=delay,
        rss_bytes=rss,
        memory=tracked.memory,
    )


def _read_process(tracked: Tracked, pid: int) -> Any:
    if tracked.probe is None:
        probe = process.open_process(pid)
        if isinstance(probe, Missing) and not HAS_PROC:
            from gunicorn_autotune.sensors import process_psutil

            probe = process_psutil.open_process(pid)  # type: ignore[assignment]
        if isinstance(probe, Missing):
            return probe
        tracked.probe = probe
    return tracked.probe.read()


def _account_cpu(tune: Autotune, tracked: Tracked, cpu: Reading[float], delay: Reading[float], *, ready: bool) -> None:
    """Add what the process used since the last look to the boot's or the load's account."""
    used = max(0.0, known(cpu, tracked.cpu_seconds) - tracked.cpu_seconds)
    waited = max(0.0, known(delay, tracked.run_delay_seconds) - tracked.run_delay_seconds)
    tracked.cpu_seconds += used
    tracked.run_delay_seconds += waited
    if ready and tracked.was_ready:
        tune.sums.cpu_seconds += used
        tune.sums.run_delay_seconds += waited
    else:
        # The interval in which it became ready still holds mostly its import.
        tune.sums.boot_cpu_seconds += used
    if ready and not tracked.was_ready:
        tracked.was_ready = True
        tune.sums.boots += 1
        tune.boot_failures_in_row = 0


def _write_arbiter_words(tracked: Tracked, pid: int, rss: Reading[int]) -> None:
    row = tracked.row
    if row is None:
        return
    row[layout.PID] = pid
    row[layout.DRAINING] = int(tracked.draining)
    row[layout.CPU_NS] = tracked.cpu_ns_before + int(tracked.cpu_seconds * 1e9)
    row[layout.RSS_BYTES] = known(rss, layout.NOT_READ)
    if not isinstance(tracked.memory, Missing):
        row[layout.USS_BYTES] = tracked.memory.uss_bytes
        row[layout.PSS_BYTES] = tracked.memory.pss_bytes


def _read_one_memory(server: Any, tune: Autotune, followed: list[Tracked], pids: dict[int, int]) -> None:
    """smaps_rollup of one worker a tick, in rotation: it walks the page table and stalls the target."""
    ready = [tracked for tracked in followed if tracked.was_ready]
    if ready:
        tune.memory_turn += 1
        turn = ready[tune.memory_turn % len(ready)]
        pid = pids[id(turn.worker)]
        turn.memory = guarded(server, tune, "memory", lambda: memory.read_memory(pid))


def _state(tracked: Tracked, ready_ns: int, in_flight: int) -> WorkerState:
    if tracked.draining:
        return WorkerState.DRAINING
    if not ready_ns:
        return WorkerState.BOOTING
    return WorkerState.BUSY if in_flight else WorkerState.IDLE


def _read_listeners(server: Any, tune: Autotune) -> list[ListenerReading]:
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


def _read_host(server: Any, tune: Autotune) -> HostReading:
    host = guarded(server, tune, "host", lambda: read_host(tune))
    if isinstance(host, Missing):
        return HostReading(*[host] * len(fields(HostReading)))
    reading: HostReading = host
    if tune.oom_kills_settled is None and not isinstance(reading.oom_kills, Missing):
        tune.oom_kills_settled = reading.oom_kills
    for resource, limit in (("cpu", reading.cpu_limit_cores), ("memory", reading.memory_limit_bytes)):
        before = tune.limits_seen.get(resource)
        if before is not None and before != limit and not isinstance(limit, Missing):
            tune.tally.limit_changes[resource] += 1
        if not isinstance(limit, Missing):
            tune.limits_seen[resource] = limit
    return reading


def read_host(tune: Autotune) -> HostReading:
    """What the host grants, from cgroups and /proc, or from psutil where there is no /proc."""
    if not HAS_PROC:
        from gunicorn_autotune.sensors import host_psutil

        return host_psutil.read_host()
    if tune.cgroups is None:
        tune.cgroups = cgroup.find_cgroup()
    return cgroup.read_host(tune.cgroups)


def _totals(tune: Autotune, rows: list[list[int]]) -> Totals:
    finished = sum(map(board.finished, rows))
    running = sum(map(board.in_flight, rows)) + sum(words[layout.LOST] for words in rows)
    buckets = slice(layout.QUEUE_BUCKETS, layout.QUEUE_BUCKETS + layout.QUEUE_BUCKET_COUNT)
    counts = tuple(map(sum, zip(*(words[buckets] for words in rows), strict=True)))
    sums = tune.sums
    has_cpu = any(tracked.cpu_seconds for tracked in list(tune.tracked.values()))
    return Totals(
        busy_seconds=sum(sums.busy_ns) / 1e9 if tune.records else NOT_RECORDED,
        requests_started=finished + running,
        requests_finished=finished,
        service_seconds=sum(map(board.service_ns, rows)) / 1e9,
        service_seconds_squared=_squares(rows),
        cpu_seconds=sums.cpu_seconds if has_cpu else Missing("no CPU time could be read"),
        run_delay_seconds=sums.run_delay_seconds if has_cpu else Missing("no run-queue delay could be read"),
        boot_cpu_seconds=sums.boot_cpu_seconds,
        boots=sums.boots,
        queue_time_counts=counts or (0,) * layout.QUEUE_BUCKET_COUNT,
    )


def _squares(rows: list[list[int]]) -> float:
    """Sum of squared durations, from bucket middles: the law needs the spread, not its last digit."""
    counts = [
        sum(words[first + bucket] for words in rows for first in layout.DURATION_FIRSTS)
        for bucket in range(layout.DURATION_BUCKET_COUNT)
    ]
    return sum(count * middle * middle for count, middle in zip(counts, layout.DURATION_MIDDLES_SECONDS, strict=True))
