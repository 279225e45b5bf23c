"""Ticks to figures: `observe` makes an Observed of a record. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from gunicorn_autotune.cli import plan_memory
from gunicorn_autotune.cli.gaps import UNKNOWN
from gunicorn_autotune.cli.plan_observed import Cpu, Crew, Load, Observed, Queue
from gunicorn_autotune.cli.plan_windows import (
    Window,
    completions,
    mean,
    p95,
    requests_in,
    seconds_of,
    share,
    windows_of,
)
from gunicorn_autotune.cli.style import CommandError
from gunicorn_autotune.law.cores import cores_of
from gunicorn_autotune.law.pressure import queue_p95
from gunicorn_autotune.law.service import Service, service_of
from gunicorn_autotune.law.spans import LONGEST_SECONDS, mark_of
from gunicorn_autotune.model.decisions import Bottleneck
from gunicorn_autotune.model.flight import Tick
from gunicorn_autotune.model.history import Learned
from gunicorn_autotune.model.policy import Policy, for_host
from gunicorn_autotune.model.readings import Missing, Reading
from gunicorn_autotune.model.snapshot import Snapshot

FEWEST_REQUESTS = 100
_GROWTH_WINDOWS = 8
"""Below this, the fastest and the slowest quarter of the record are one window each: chance."""
_GROWTH_REQUESTS = 20
_PLATEAU_SHARE = 0.95
NO_SPREAD = Missing("the spread of service times is not recorded")


def observe(server: Mapping[str, Any], policy: Policy, ticks: Sequence[Tick], fault: str = "") -> Observed:
    """The figures of a record; a CommandError where it holds too little."""
    policy = for_host(policy, ticks[-1].snapshot.host)
    windows = windows_of(policy, ticks)
    _check(ticks, windows)
    return Observed(
        seconds=seconds_of(windows),
        server=server,
        policy=policy,
        load=load_of(ticks, windows),
        queue=queue_of(ticks),
        cpu=cpu_of(policy, ticks, windows),
        memory=plan_memory.memory_of(policy, ticks),
        crew=crew_of(ticks),
        reasons=_shares(ticks, [tick.decision.reason.value for tick in ticks]),
        bottlenecks=_shares(ticks, [_named(tick.decision.bottleneck) for tick in ticks]),
        fault=fault,
    )


def _check(ticks: Sequence[Tick], windows: Sequence[Window]) -> None:
    finished = int(sum(window.span.finished for window in windows))
    if windows and any(window.span.busy is None for window in windows):
        raise CommandError(
            "this worker class does not report its requests: their rate and length cannot be planned for"
        )
    if finished < FEWEST_REQUESTS:
        raise CommandError(
            f"only {finished} requests finished within the record, a plan needs {FEWEST_REQUESTS}: record for longer"
        )


def load_of(ticks: Sequence[Tick], windows: Sequence[Window]) -> Load:
    """What was asked."""
    last = ticks[-1].snapshot
    service = _service(ticks[0].snapshot, last, windows)
    rates = [window.span.arrived / window.span.seconds for window in windows]
    done = [window.span.finished / window.span.seconds for window in windows]
    loads = [_offered(window, service.seconds) for window in windows]
    return Load(
        requests=int(sum(window.span.finished for window in windows)),
        arrivals_per_second=mean(windows, rates),
        arrivals_per_second_p95=p95(rates),
        arrivals_per_second_peak=max(rates),
        service_seconds=service.seconds,
        service_growth=_growth(windows),
        variability=service.variability if last.totals.service_seconds_squared > 0.0 else NO_SPREAD,
        busy_slots=mean(windows, loads),
        busy_slots_p95=p95(loads),
        busy_slots_peak=max(loads),
        throughput_peak=max(done),
        throughput_slots=min(
            load for load, rate in zip(loads, done, strict=True) if rate >= _PLATEAU_SHARE * max(done)
        ),
        full_share=share(windows, [window.full for window in windows]),
        longest_request_seconds=max(_oldest(tick.snapshot) for tick in ticks),
    )


def queue_of(ticks: Sequence[Tick]) -> Queue:
    """What waited for a worker."""
    first, last = ticks[0].snapshot, ticks[-1].snapshot
    backlogs = [one for tick in ticks for one in _backlogs(tick.snapshot)]
    limits = [one.backlog_limit for one in last.listeners if not isinstance(one.backlog_limit, Missing)]
    waits = queue_p95(mark_of(first, None, 0), mark_of(last, None, 0))
    return Queue(
        p95_seconds=Missing("no queue time was seen") if waits is None else waits,
        backlog_most=max(backlogs, default=Missing("no backlog could be read")),
        backlog_limit=min(limits, default=Missing("no backlog limit could be read")),
    )


def _service(first: Snapshot, last: Snapshot, windows: Sequence[Window]) -> Service:
    """Mean and unevenness over the whole record; requests running at its ends count half."""
    older, newer = mark_of(first, None, 0), mark_of(last, None, 0)
    learned = Learned(
        finished=max(1.0, requests_in(windows)),
        useful_seconds=sum((window.span.useful or 0.0) * window.span.seconds for window in windows),
        service_seconds=max(0.0, newer.service_seconds - older.service_seconds),
        service_seconds_squared=max(0.0, newer.service_seconds_squared - older.service_seconds_squared),
    )
    return service_of(learned, last.totals) or Service(0.0)


def _offered(window: Window, service_seconds: float) -> float:
    """Busy slots; arrivals x service time where that is more because a queue built up and the slots were all taken."""
    span = window.span
    useful = span.useful or 0.0
    return max(useful, span.arrived * service_seconds / span.seconds) if span.drained < 0.0 else useful


def _growth(windows: Sequence[Window]) -> Reading[float]:
    counted = sorted(
        (window.span for window in windows if completions(window.span) >= _GROWTH_REQUESTS),
        key=lambda span: span.arrived / span.seconds,
    )
    if len(counted) < _GROWTH_WINDOWS:
        return Missing(f"fewer than {_GROWTH_WINDOWS} windows of 10 s with {_GROWTH_REQUESTS} requests")
    quarter = len(counted) // 4
    calm, busy = (
        sum((span.useful or 0.0) * span.seconds for span in spans) / sum(map(completions, spans))
        for spans in (counted[:quarter], counted[-quarter:])
    )
    return busy / calm if calm > 0.0 else Missing("no time in service was measured")


def cpu_of(policy: Policy, ticks: Sequence[Tick], windows: Sequence[Window]) -> Cpu:
    """What the ready workers took of the cores."""
    first, last = ticks[0].snapshot, ticks[-1].snapshot
    cores = cores_of(policy, last.host)
    used = [window.span.cpu for window in windows if window.span.cpu is not None]
    whole = len(used) == len(windows)
    requests = requests_in(windows)
    busy = sum((window.span.busy or 0.0) * window.span.seconds for window in windows)
    unread = Missing("CPU time of the workers could not be read throughout")
    throttled = _rise(first.host.cpu_throttled_seconds, last.host.cpu_throttled_seconds)
    delay = _rise(first.totals.run_delay_seconds, last.totals.run_delay_seconds)
    return Cpu(
        cores=Missing("cores unknown") if cores is None else cores,
        seconds_per_request=mean(windows, used) * seconds_of(windows) / requests if whole else unread,
        used_cores=mean(windows, used) if whole else unread,
        used_cores_peak=max(used) if whole else unread,
        full_share=share(windows, [window.cores_full for window in windows]),
        delay_share=_over(delay, busy),
        throttled_share=_over(throttled, seconds_of(windows)),
    )


def crew_of(ticks: Sequence[Tick]) -> Crew:
    """The workers and their boots; what a boot costs is a mean over the server's life."""
    boots = {
        (worker.pid, worker.age): worker.ready_at - worker.spawned_at
        for tick in ticks
        for worker in tick.snapshot.workers
        if worker.ready_at is not None
    }
    totals = ticks[-1].snapshot.totals
    unseen = Missing("no boot was measured")
    return Crew(
        most=max(len(tick.snapshot.workers) for tick in ticks),
        threads=max(1, ticks[-1].snapshot.threads),
        boot_seconds=max(0.0, sum(boots.values()) / len(boots)) if boots else unseen,
        boot_cpu_seconds=totals.boot_cpu_seconds / totals.boots if totals.boots else unseen,
    )


def _shares(ticks: Sequence[Tick], words: Sequence[str]) -> dict[str, float]:
    """Share of time of each word; a tick's word holds until the next tick."""
    seconds: dict[str, float] = {}
    for (older, newer), word in zip(pairwise(ticks), words, strict=False):
        passed = newer.snapshot.at - older.snapshot.at
        if 0.0 < passed <= LONGEST_SECONDS:
            seconds[word] = seconds.get(word, 0.0) + passed
    total = sum(seconds.values())
    longest_first = sorted(seconds.items(), key=lambda item: -item[1])
    return {word: passed / total for word, passed in longest_first} if total else {}


def _named(bottleneck: Reading[Bottleneck]) -> str:
    return UNKNOWN if isinstance(bottleneck, Missing) else bottleneck.value


def _backlogs(snapshot: Snapshot) -> Iterable[int]:
    return [one.backlog for one in snapshot.listeners if not isinstance(one.backlog, Missing)]


def _oldest(snapshot: Snapshot) -> float:
    return max((worker.oldest_request_seconds for worker in snapshot.workers), default=0.0)


def _rise(older: Reading[float], newer: Reading[float]) -> Reading[float]:
    if isinstance(older, Missing):
        return older
    return newer if isinstance(newer, Missing) else max(0.0, newer - older)


def _over(part: Reading[float], whole: float) -> Reading[float]:
    if isinstance(part, Missing):
        return part
    return part / whole if whole > 0.0 and math.isfinite(part) else Missing("nothing to compare with")
