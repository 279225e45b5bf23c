"""Records made by arithmetic: constant rates for some time, counters that are exactly what they must be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gunicorn_autotune.cli.plan_observe import observe
from gunicorn_autotune.cli.plan_observed import Observed
from gunicorn_autotune.cli.plan_settings import settings_of
from gunicorn_autotune.cli.plan_staffing import staffing_of
from gunicorn_autotune.model.decisions import Action, Bottleneck, Decision, Reason
from gunicorn_autotune.model.flight import Tick
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.model.snapshot import Snapshot
from gunicorn_autotune.testing import MIB, a_host, a_policy, a_snapshot, a_worker

UNREAD = Missing("not read in this test")
TICK_SECONDS = 5
"""Twenty times the production one: the figures are the same, the tests faster."""
SYNC = {"worker_class": "sync", "threads": 1, "timeout": 30}


@dataclass(frozen=True)
class Stretch:
    """Some time at one rate; a spread of 1 is that of exponential service times."""

    seconds: int = 300
    rate: float = 60.0
    service_seconds: float = 0.1
    cpu_seconds: float = 0.004
    delay_seconds: float = 0.0
    """Waiting for a core, within the service time."""
    queue_growth: float = 0.0
    """Connections a second that nobody accepts."""
    reason: Reason = Reason.STEADY
    bottleneck: Bottleneck = Bottleneck.NONE


COMPUTING = Stretch(rate=70, service_seconds=0.02, cpu_seconds=0.02)
WAITING = Stretch()
OVERLOAD = Stretch(rate=100, service_seconds=0.05, cpu_seconds=0.02, delay_seconds=0.03, queue_growth=40)


@dataclass
class Recorder:
    """Counters while stretches are laid end to end, a tick every TICK_SECONDS."""

    at: float = 0.0
    finished: float = 0.0
    service_seconds: float = 0.0
    squared: float = 0.0
    cpu_seconds: float = 0.0
    delay_seconds: float = 0.0
    waiting: float = 0.0

    def tick(self, stretch: Stretch) -> None:
        """Let one pass."""
        self.at += TICK_SECONDS
        self.finished += TICK_SECONDS * stretch.rate
        self.service_seconds += TICK_SECONDS * stretch.rate * stretch.service_seconds
        self.squared += TICK_SECONDS * stretch.rate * 2.0 * stretch.service_seconds**2
        self.cpu_seconds += TICK_SECONDS * stretch.rate * stretch.cpu_seconds
        self.delay_seconds += TICK_SECONDS * stretch.rate * stretch.delay_seconds
        self.waiting += TICK_SECONDS * stretch.queue_growth


def a_record(*stretches: Stretch, **world: Any) -> list[Tick]:
    """Ticks of `stretches`; see `_snapshot` for what the world may be."""
    recorder = Recorder()
    ticks = [Tick(_snapshot(recorder, **world), _decision(stretches[0]))]
    for stretch in stretches:
        for _ in range(stretch.seconds // TICK_SECONDS):
            recorder.tick(stretch)
            ticks.append(Tick(_snapshot(recorder, **world), _decision(stretch)))
    return ticks


def _decision(stretch: Stretch) -> Decision:
    return Decision(Action.HOLD, stretch.reason, 8, bottleneck=stretch.bottleneck)


def _snapshot(
    recorder: Recorder, *, workers: int = 8, threads: int = 1, cores: Any = 2.0, limit_mib: int = 8192,
    worker_mib: int = 50, other_mib: int = 100, leak_bytes: int = 0, boot_cpu_seconds: float = 0.1,
    longest_seconds: float = 0.0, measured: bool = True, **more: Any,
) -> Snapshot:  # fmt: skip
    """One instant: `workers` alike, which leak from the first request on."""
    each = int(recorder.finished / workers)
    size = worker_mib * MIB + leak_bytes * each
    crew = [
        a_worker(slot, requests=each, uss_bytes=size, pss_bytes=size, rss_bytes=size + 10 * MIB,
                 oldest_request_seconds=longest_seconds, **({} if measured else {"memory": UNREAD}))
        for slot in range(workers)
    ]  # fmt: skip
    host = {"oom_kills", "cpu_throttled_seconds"} & set(more)
    return a_snapshot(
        recorder.at,
        workers=crew,
        threads=threads,
        backlog=int(recorder.waiting),
        started=int(recorder.finished),
        finished=int(recorder.finished),
        busy_seconds=recorder.service_seconds,
        service_seconds=recorder.service_seconds,
        service_seconds_squared=recorder.squared,
        cpu_seconds=recorder.cpu_seconds,
        run_delay_seconds=recorder.delay_seconds,
        boots=workers,
        boot_cpu_seconds=workers * boot_cpu_seconds,
        host=a_host(
            cores,
            memory_limit_bytes=limit_mib * MIB,
            memory_used_bytes=other_mib * MIB + workers * size,
            **{name: int(recorder.at) * more.pop(name) for name in host},
        ),
        **more,
    )


def observed_of(
    *stretches: Stretch, server: dict[str, Any] | None = None, policy: Any = None, **world: Any
) -> Observed:
    """The figures of such a record."""
    return observe(SYNC | (server or {}), policy or a_policy(), a_record(*stretches, **world))


def planned(*stretches: Stretch, **rest: Any) -> dict[str, Any]:
    """Pinned settings by name; those left to Gunicorn are not in it."""
    observed = observed_of(*stretches, **rest)
    return {one.name: one.value for one in settings_of(observed, staffing_of(observed)) if one.pinned}


def reasons(*stretches: Stretch, **rest: Any) -> dict[str, str]:
    """Why, by the setting's name, pinned or not."""
    observed = observed_of(*stretches, **rest)
    return {one.name: one.reason for one in settings_of(observed, staffing_of(observed))}
