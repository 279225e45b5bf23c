"""The settings of gunicorn.conf.py that the record supports, each with its reason; what it does not support is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gunicorn_autotune.cli.plan_observed import Observed
from gunicorn_autotune.cli.plan_recycle import Recycle, recycle_of
from gunicorn_autotune.cli.plan_staffing import THREADED, Staffing, is_event_loop, takes_threads
from gunicorn_autotune.cli.plan_staffing_words import class_reason, threads_reason, workers_reason
from gunicorn_autotune.cli.plan_words import time_text
from gunicorn_autotune.cli.style import bytes_text, count_text, figure
from gunicorn_autotune.model.readings import Missing, known

DEFAULTS: dict[str, Any] = {
    "worker_connections": 1000,
    "timeout": 30,
    "graceful_timeout": 30,
    "max_requests": 0,
    "max_requests_jitter": 0,
    "preload_app": False,
    "keepalive": 2,
    "backlog": 2048,
}
"""Gunicorn's own."""
LEAST_TIMEOUT_SECONDS = 30
DOUBLE_SECONDS = 3.0
"""When as many workers again take longer than this to boot, importing the app once pays."""

BATCH_SECONDS, LEAST_BOOT_SECONDS = 1.0, 0.01
"""As the law has them: what the cores can boot in this time starts at once; below the second a boot reads as 0."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the file."""

    name: str
    value: Any
    reason: str
    pinned: bool = True
    """False: a comment, Gunicorn's default holds, because the record says nothing against it or for another."""


def settings_of(observed: Observed, staffing: Staffing) -> tuple[Setting, ...]:
    """In the order of the file."""
    return (
        Setting("worker_class", staffing.worker_class, class_reason(observed, staffing)),
        Setting("workers", staffing.workers, workers_reason(observed, staffing)),
        *_threads(observed, staffing),
        _timeout(observed, staffing),
        *_graceful_timeout(observed),
        *_recycling(observed, staffing.workers),
        _preload(observed, staffing.workers),
        _keepalive(observed, staffing),
        _backlog(observed),
    )


@dataclass(frozen=True, slots=True)
class Doubling:
    """As many workers again, booted as the law boots them."""

    seconds: float
    at_once: int
    """Boots that the cores finish in a second, one a core at least: more of them would only finish later."""


def doubling_of(observed: Observed, workers: int) -> Doubling | None:
    """None: what a boot costs was not seen."""
    each, cores = observed.crew.boot_cpu_seconds, observed.cpu.cores
    if isinstance(each, Missing) or isinstance(cores, Missing):
        return None
    at_once = min(workers, math.ceil(cores * max(1.0, BATCH_SECONDS / max(each, LEAST_BOOT_SECONDS))))
    waits = known(observed.crew.boot_seconds, 0.0) * math.ceil(workers / max(1, at_once))
    return Doubling(max(waits, workers * each / cores), at_once)


def _kept(observed: Observed, name: str, reason: str) -> Setting:
    """As recorded: pinned where that is not Gunicorn's default."""
    value = observed.recorded(name, DEFAULTS[name])
    pinned = value != DEFAULTS[name]
    return Setting(name, value, f"As recorded. {reason}".rstrip() if pinned else reason, pinned)


def _threads(observed: Observed, staffing: Staffing) -> tuple[Setting, ...]:
    if not takes_threads(observed):
        return (_kept(observed, "worker_connections", ""),) if is_event_loop(observed) else ()
    threaded = staffing.threads > 1 or staffing.worker_class == THREADED
    threads = Setting("threads", staffing.threads, threads_reason(staffing), pinned=threaded)
    if not threaded:
        return (threads,)
    reason = (
        "Twice the threads: what a worker accepts beyond its threads waits inside it, unseen by an idle worker. The "
        "other half is room for kept-alive connections."
    )
    return threads, Setting("worker_connections", 2 * staffing.threads, reason)


def _timeout(observed: Observed, staffing: Staffing) -> Setting:
    longest = observed.load.longest_request_seconds
    recorded = observed.recorded("timeout", LEAST_TIMEOUT_SECONDS)
    enough = max(LEAST_TIMEOUT_SECONDS, 5 * math.ceil(2.0 * longest / 5.0))
    ran = f"The longest request seen ran for {time_text(longest)}" if longest else "No request was seen to run for long"
    seen = f"{ran}; twice that, and never less than {LEAST_TIMEOUT_SECONDS} s."
    if recorded == 0 or recorded > enough:
        return Setting("timeout", recorded, f"{seen} As recorded: {enough} would do if none is ever longer.")
    if staffing.threads > 1:
        seen += " With threads it watches over the worker, not over each request."
    return Setting("timeout", enough, seen)


def _graceful_timeout(observed: Observed) -> tuple[Setting, ...]:
    kept = _kept(observed, "graceful_timeout", "")
    return (kept,) if kept.pinned else ()


def _recycling(observed: Observed, workers: int) -> tuple[Setting, ...]:
    recycle = recycle_of(observed, workers)
    if isinstance(recycle, Missing):
        reason = f"Whether workers leak cannot be told: {recycle.why}."
        settings = [_kept(observed, name, reason) for name in ("max_requests", "max_requests_jitter")]
        return (settings[0],) if settings[1].value == 0 else tuple(settings)
    if recycle.max_requests == 0:
        most = count_text(observed.memory.requests_per_worker)
        return (Setting("max_requests", 0, f"No worker grew steadily, the longest-lived over {most} requests."),)
    return _with_jitter(observed, recycle, workers)


def _with_jitter(observed: Observed, recycle: Recycle, workers: int) -> tuple[Setting, ...]:
    leak = bytes_text(known(observed.memory.leak_bytes_per_request, 0.0))
    reason = (
        f"Workers leak {leak} a request. {workers} of them may grow by {bytes_text(recycle.room_bytes)} each, which is "
        f"{count_text(int(recycle.requests_in_room))} requests; less the jitter."
    )
    jitter = "Half of max_requests: with less, workers that started together are recycled together."
    return (
        Setting("max_requests", recycle.max_requests, reason),
        Setting("max_requests_jitter", recycle.jitter, jitter),
    )


def _preload(observed: Observed, workers: int) -> Setting:
    doubling = doubling_of(observed, workers)
    if observed.recorded("preload_app", False):
        return Setting("preload_app", True, "As recorded.")
    if doubling is None:
        return Setting("preload_app", False, "What a boot costs is not in the record.", pinned=False)
    costs = (
        f"A boot costs {time_text(known(observed.crew.boot_cpu_seconds, 0.0))} of CPU, so {workers} more workers take "
        f"{time_text(doubling.seconds)} on {figure(known(observed.cpu.cores, 1.0))} cores"
    )
    if doubling.seconds < DOUBLE_SECONDS:
        return Setting("preload_app", False, f"{costs}: little to gain.", pinned=False)
    caveat = (
        "A reload (HUP) then does not bring new code, a restart does. Leave it out if the app opens connections or "
        "starts threads while it is imported."
    )
    return Setting("preload_app", True, f"{costs}; imported once, they take a fork each. {caveat}")


def _keepalive(observed: Observed, staffing: Staffing) -> Setting:
    if staffing.worker_class == "sync":
        return Setting("keepalive", DEFAULTS["keepalive"], "sync closes each connection.", pinned=False)
    reason = (
        "How long your proxy keeps idle connections is not in the record. This must be longer, else requests are lost "
        "now and then (502): behind nginx, 10 here and `keepalive_timeout 4s;` in its upstream."
    )
    return _kept(observed, "keepalive", reason)


def _backlog(observed: Observed) -> Setting:
    most, limit = observed.queue.backlog_most, observed.queue.backlog_limit
    if isinstance(most, Missing) or isinstance(limit, Missing):
        return _kept(observed, "backlog", "The queue could not be read.")
    return _kept(observed, "backlog", f"At most {most} of {limit} connections waited in the queue.")
