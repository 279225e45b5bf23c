"""One look at the world: rows, processes, listeners and host become one Snapshot. A sensor that fails is Missing."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

from gunicorn_autotune.model.readings import HostReading, Missing, ProcessReading, Reading, known
from gunicorn_autotune.model.snapshot import Snapshot, Totals, WorkerReading, WorkerState
from gunicorn_autotune.model.status import ExitReason
from gunicorn_autotune.runtime import surroundings
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.runtime.surroundings import HAS_PROC, SLOW_SENSOR_SECONDS
from gunicorn_autotune.scoreboard import board, layout
from gunicorn_autotune.scoreboard.board import Activity
from gunicorn_autotune.sensors import memory, process

PROCESSES_A_TICK = 32
MEMORY_TIME_SHARE = 0.003
UNMEASURED = [0] * layout.ROW_WORDS
IDLE = Activity(0, 0, 0)
SQUARED_MIDDLES = [middle * middle for middle in layout.DURATION_MIDDLES_SECONDS]
NO_CPU = Missing("no CPU time could be read")
NO_DELAY = Missing("no time spent waiting for a core could be read")
NOT_RECORDED = Missing("this worker class does not report its requests")


def look(server: Any, tune: Autotune) -> Snapshot:
    """Everything the law may know, now."""
    now_ns = time.monotonic_ns()
    rows = [tune.believed.read(tune.board, slot, now_ns) for slot in range(tune.slots_used)]
    _tell_doubted(server, tune)
    now = [board.activity(words, now_ns) for words in rows]
    _account_silence(tune, rows, now, now_ns)
    maxima = tune.sums.busy_ns
    maxima.extend([0] * (len(rows) - len(maxima)))
    maxima[:] = map(max, maxima, [one.busy_ns for one in now])
    added = _added(rows)
    tune.doors.hear(added[layout.DOOR_ERRORS : layout.DOOR_ERRORS_END])
    workers = _read_workers(server, tune, rows, now, now_ns)
    return Snapshot(
        at=now_ns / 1e9,
        workers=workers,
        listeners=tuple(surroundings.read_listeners(server, tune)),
        host=_with_own_use(tune, surroundings.host_now(server, tune, now_ns / 1e9), workers),
        totals=_totals(tune, rows, added, sum(one.in_flight for one in now)),
        target=server.num_workers,
        threads=tune.threads,
        frozen=tune.frozen,
        held_until=tune.held_until,
        boot_backoff_until=tune.boot_backoff_until,
    )


def _with_own_use(tune: Autotune, host: HostReading, workers: tuple[WorkerReading, ...]) -> HostReading:
    """Where our cgroup's use cannot be read, a written limit is compared with what the workers take (PSS)."""
    if not tune.policy.memory_limit_bytes or not isinstance(host.memory_own_bytes, Missing):
        return host
    sizes = [worker.memory.pss_bytes for worker in workers if not isinstance(worker.memory, Missing)]
    return replace(host, memory_own_bytes=sum(sizes)) if sizes else host


def _tell_doubted(server: Any, tune: Autotune) -> None:
    if tune.believed.doubted and "row" not in tune.faults_logged:
        tune.faults_logged.add("row")
        slot = min(tune.believed.doubted)
        pid = tune.board.noted(slot, layout.PID)
        server.log.error(line("the row of a worker holds what cannot be true, its figures stop", slot=slot, pid=pid))


def nothing_happened(server: Any, tune: Autotune, now: float) -> bool:
    """Whether a full look would show what the last one did: nobody asks, nobody waits, nobody comes or goes.

    An idle server is looked at once a second in full and four times a second like this, for a fortieth of the price.
    """
    worker_words = slice(layout.CHANGED_NS, layout.QUEUE_BUCKETS)
    seen = [tune.board.row(slot)[worker_words].tobytes() for slot in range(tune.slots_used)]
    state = (seen, len(server.WORKERS), server.num_workers, tune.frozen, tune.held_until)
    same, tune.last_state = state == tune.last_state, state
    if not same or now - tune.looked_at >= SLOW_SENSOR_SECONDS:
        return False
    if any(tracked.draining or not tracked.was_ready for tracked in list(tune.tracked.values())):
        return False
    if any(board.activity(tune.board.row(slot).tolist(), 0).in_flight for slot in range(tune.slots_used)):
        return False
    return all(listener.backlog == 0 for listener in surroundings.read_listeners(server, tune))


def _read_workers(
    server: Any, tune: Autotune, rows: list[list[int]], now: list[Activity], now_ns: int
) -> tuple[WorkerReading, ...]:
    pids = {id(worker): pid for pid, worker in list(server.WORKERS.items())}
    followed = [tracked for tracked in list(tune.tracked.values()) if id(tracked.worker) in pids]
    _read_one_memory(server, tune, followed, pids, now_ns / 1e9)
    _read_processes(server, tune, followed, pids)
    readings = []
    for tracked in followed:
        pid, slot = pids[id(tracked.worker)], tracked.slot
        words, activity = (rows[slot], now[slot]) if slot is not None else (UNMEASURED, IDLE)
        readings.append(_read_worker(tune, tracked, pid, words, activity, now_ns))
    return tuple(readings)


def _read_processes(server: Any, tune: Autotune, followed: list[Tracked], pids: dict[int, int]) -> None:
    """/proc of every worker, or of the next PROCESSES_A_TICK in rotation: a tick's cost must not grow for ever."""
    turns = followed
    if len(followed) > PROCESSES_A_TICK:
        first = tune.process_turn % len(followed)
        turns = (followed[first:] + followed[:first])[:PROCESSES_A_TICK]
        tune.process_turn = first + PROCESSES_A_TICK
    for tracked in turns:
        pid = pids[id(tracked.worker)]
        tracked.process = surroundings.guarded(server, tune, "process", partial(_read_process, tracked, pid))


def _read_worker(
    tune: Autotune, tracked: Tracked, pid: int, words: list[int], now: Activity, now_ns: int
) -> WorkerReading:
    ready_ns = words[layout.READY_NS] or (int(tracked.spawned_at * 1e9) if tracked.slot is None else 0)
    process = tracked.process
    if isinstance(process, Missing):
        cpu: Reading[float] = process
        delay: Reading[float] = process
        rss: Reading[int] = process
    else:
        cpu, delay, rss = process.cpu_seconds, process.run_delay_seconds, process.rss_bytes
    _account_cpu(tune, tracked, cpu, delay, ready=bool(ready_ns))
    _write_arbiter_words(tune, tracked, pid, rss)
    held, silent = board.held(words, now, now_ns), board.silent(words, now, now_ns)
    tracked.held_from = (tracked.held_from or now_ns / 1e9) if held else None
    return WorkerReading(
        slot=tracked.slot,
        pid=pid,
        age=tracked.age,
        state=_state(tracked, ready_ns, now.in_flight or held or silent, records=bool(words[layout.RECORDS])),
        spawned_at=tracked.spawned_at,
        ready_at=ready_ns / 1e9 if ready_ns else None,
        in_flight=now.in_flight,
        queued=board.queued(words) or 0,
        oldest_request_seconds=max(0, now_ns - now.oldest_ns) / 1e9 if now.oldest_ns else 0.0,
        requests=(finished := board.finished(words)),
        served=finished - tracked.requests_before,
        busy_seconds=tune.sums.busy_ns[tracked.slot] / 1e9 if tracked.slot is not None else 0.0,
        cpu_seconds=cpu,
        run_delay_seconds=delay,
        rss_bytes=rss,
        memory=tracked.memory,
        requests_limit=tracked.requests_limit,
        draw=tracked.draw,
        asked=tracked.asked,
        outdated=tracked.outdated,
        held=held,
        held_seconds=now_ns / 1e9 - tracked.held_from if tracked.held_from is not None else 0.0,
        silent=silent,
    )


def _read_process(tracked: Tracked, pid: int) -> Reading[ProcessReading]:
    if tracked.probe is None:
        probe = process.open_process(pid)
        if isinstance(probe, Missing) and not HAS_PROC:
            from gunicorn_autotune.sensors import process_psutil

            probe = process_psutil.open_process(pid)  # type: ignore[assignment]
        if isinstance(probe, Missing):
            return probe
        tracked.probe = probe
    reading: Reading[ProcessReading] = tracked.probe.read()
    return reading


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


def _write_arbiter_words(tune: Autotune, tracked: Tracked, pid: int, rss: Reading[int]) -> None:
    slot = tracked.slot
    if slot is None or tracked.row is None:
        return
    note = tune.board.note
    note(slot, layout.PID, pid)
    note(slot, layout.DRAINING, int(tracked.draining))
    note(slot, layout.CPU_NS, tracked.cpu_ns_before + int(tracked.cpu_seconds * 1e9))
    note(slot, layout.RSS_BYTES, known(rss, layout.NOT_READ))
    if not isinstance(tracked.memory, Missing):
        note(slot, layout.USS_BYTES, tracked.memory.uss_bytes)
        note(slot, layout.PSS_BYTES, tracked.memory.pss_bytes)


def _read_one_memory(server: Any, tune: Autotune, followed: list[Tracked], pids: dict[int, int], now: float) -> None:
    """smaps_rollup of one worker a tick, in rotation: it walks the page table, some 16 ms a GB, and stalls the target.

    The next one waits until MEMORY_TIME_SHARE of the time is spent so: at 1.5 ms for 20 MB, half a second.
    """
    ready = [tracked for tracked in followed if tracked.was_ready]
    if ready and now >= tune.memory_not_before:
        tune.memory_turn += 1
        turn = ready[tune.memory_turn % len(ready)]
        pid = pids[id(turn.worker)]
        # CPU time: one read that was preempted on a busy host must not put the next off for minutes.
        began = time.thread_time()
        turn.memory = surroundings.guarded(server, tune, "memory", lambda: memory.read_memory(pid))
        tune.memory_not_before = now + (time.thread_time() - began) / MEMORY_TIME_SHARE


def _account_silence(tune: Autotune, rows: list[list[int]], now: list[Activity], now_ns: int) -> None:
    """Add what connections without a request took of the slots since the last look: less than the truth, never more."""
    since_ns = now_ns - tune.sums.silent_until_ns
    silent = [board.silent_ns(words, one, now_ns) for words, one in zip(rows, now, strict=True)]
    tune.sums.silent_ns += sum([min(one, since_ns) for one in silent])
    # READING says no more than that it has been so for READING_NS.
    tune.sums.silent_ns += min(since_ns, layout.READING_NS) * sum([words[layout.READING] for words in rows])
    tune.sums.silent_until_ns = now_ns


def _state(tracked: Tracked, ready_ns: int, taken: int, *, records: bool) -> WorkerState:
    if tracked.draining:
        return WorkerState.DRAINING
    if not ready_ns:
        return WorkerState.BOOTING
    if not records:
        return WorkerState.UNKNOWN
    return WorkerState.BUSY if taken else WorkerState.IDLE


def _added(rows: list[list[int]]) -> list[int]:
    """What all slots have counted, where it stands in a row."""
    counters = zip(*[words[layout.QUEUE_BUCKETS :] for words in rows], strict=True)
    return UNMEASURED[: layout.QUEUE_BUCKETS] + list(map(sum, counters)) if rows else UNMEASURED


def _totals(tune: Autotune, rows: list[list[int]], added: list[int], in_flight: int) -> Totals:
    finished = board.finished(added)
    sums = tune.sums
    cpu_known = any(tracked.cpu_seconds for tracked in list(tune.tracked.values()))
    delay_known = cpu_known and any(map(_delay_read, list(tune.tracked.values())))
    return Totals(
        busy_seconds=(sum(sums.busy_ns) + sums.silent_ns) / 1e9 if tune.records else NOT_RECORDED,
        requests_started=finished + in_flight + sum([words[layout.LOST] for words in rows]),
        requests_finished=finished,
        service_seconds=board.service_ns(added) / 1e9,
        service_seconds_squared=_squares(added),
        cpu_seconds=sums.cpu_seconds if cpu_known else NO_CPU,
        run_delay_seconds=sums.run_delay_seconds if delay_known else NO_DELAY,
        boot_cpu_seconds=sums.boot_cpu_seconds,
        boots=sums.boots,
        queue_time_counts=tuple(added[layout.QUEUE_BUCKETS : layout.QUEUE_END]),
        killed=tune.tally.exits[ExitReason.SIGNAL] + tune.tally.exits[ExitReason.OOM_KILL],
    )


def _delay_read(tracked: Tracked) -> bool:
    process = tracked.process
    return not isinstance(process, Missing) and not isinstance(process.run_delay_seconds, Missing)


def _squares(added: list[int]) -> float:
    """Sum of squared durations, from bucket middles: the law needs the spread, not its last digit."""
    buckets = [added[first : first + layout.DURATION_BUCKET_COUNT] for first in layout.DURATION_FIRSTS]
    counts = map(sum, zip(*buckets, strict=True))
    return sum(count * square for count, square in zip(counts, SQUARED_MIDDLES, strict=True))
