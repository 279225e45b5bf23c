"""What the host allows, whatever the load: cores, memory, processes, open files, and the operator's maximum."""

from __future__ import annotations

import math

from gunicorn_autotune.law.cores import cores_of
from gunicorn_autotune.law.crew import EVENT_LOOP_FROM
from gunicorn_autotune.law.memory import after_oom, memory_cap
from gunicorn_autotune.law.spans import Span
from gunicorn_autotune.law.staffing import workers_for
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import CapName
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import Missing, Unlimited
from gunicorn_autotune.model.snapshot import Snapshot, WorkerState

_CPU_MARGIN = 1.25
_CPU_IDLE_SHARE = 0.05
"""Below this share of the cores the CPU says nothing about how many workers fit."""
_BOOT_BATCH_SECONDS = 1.0
_SPARE_TASKS = 2
_FILES_A_WORKER = 1
_SPARE_FILES = 16
"""For a start of the exporter (6), sensors (4), the control socket, log files that are opened again."""
_EVENT_LOOP_TASKS = 16
"""gevent and asyncio keep up to about this many threads for blocking calls."""


def caps(policy: Policy, history: History, view: View) -> dict[CapName, int]:
    """Largest count each limit allows; a limit that is absent, unlimited or missing is not in it."""
    snapshot = view.snapshot
    found = {
        CapName.MEMORY: after_oom(history, snapshot.at, memory_cap(policy, snapshot, history.peaks)),
        CapName.CPU: cpu_cap(policy, view),
        CapName.PIDS: pids_cap(snapshot),
        CapName.FILES: files_cap(snapshot),
        CapName.CONFIG_MAX: policy.max_workers,
    }
    return {name: max(0, limit) for name, limit in found.items() if limit is not None}


def cpu_cap(policy: Policy, view: View) -> int | None:
    """1.25 * K * Y/C + K * sqrt(v): the most slots whose CPU work K cores can do, plus room for uneven requests.

    Asymptotic bound K * (1 + W/C) of a closed system; equals 2K + 1 for CPU-bound work.
    Under pressure only the present run counts, so yesterday's load caps nothing.
    """
    cores = cores_of(policy, view.snapshot.host)
    if cores is None:
        return None
    variability = view.service.variability if view.service else 1.0
    slots = [_cpu_slots(cores, span, variability) for span in view.run]
    known = [one for one in slots if one is not None]
    if len(known) < len(slots):
        return None
    threads = view.snapshot.threads
    return workers_for(max(known), threads, cores if threads > 1 else 0.0)


def _cpu_slots(cores: float, span: Span, variability: float) -> int | None:
    if span.cpu is None or span.useful is None or span.cpu <= _CPU_IDLE_SHARE * cores:
        return None
    slots = _CPU_MARGIN * cores * max(span.useful, span.cpu) / span.cpu + cores * math.sqrt(max(1.0, variability))
    return math.ceil(min(slots, 1e9))


def pids_cap(snapshot: Snapshot) -> int | None:
    """n + (limit - used) // (threads + 2): a fork that fails for lack of pids would be retried for ever."""
    host = snapshot.host
    if isinstance(host.pids_limit, (Missing, Unlimited)) or isinstance(host.pids_used, Missing):
        return None
    tasks = snapshot.threads if snapshot.threads < EVENT_LOOP_FROM else _EVENT_LOOP_TASKS
    drains = WorkerState.DRAINING
    count = sum(1 for worker in snapshot.workers if worker.state is not drains)
    return count + (host.pids_limit - host.pids_used) // (max(1, tasks) + _SPARE_TASKS)


def files_cap(snapshot: Snapshot) -> int | None:
    """(limit - those that are not for workers - spare) // 2: a HUP needs the descriptors of two whole sets.

    Gunicorn's arbiter keeps one open for each worker, its heartbeat file; without it a fork fails, and in a HUP that
    ends the server.
    """
    spare = files_spare(snapshot)
    workers = len(snapshot.workers)
    return None if spare is None else (spare + workers * _FILES_A_WORKER) // (2 * _FILES_A_WORKER)


def files_spare(snapshot: Snapshot) -> int | None:
    """Descriptors of the arbiter that more workers may take; None where limit or use is unknown, or unlimited."""
    host = snapshot.host
    if isinstance(host.files_limit, (Missing, Unlimited)) or isinstance(host.files_used, Missing):
        return None
    return host.files_limit - host.files_used - _SPARE_FILES


def boots_allowed(policy: Policy, view: View) -> int:
    """Boots that may start now: as many as the idle cores finish in a second, at least half the cores, less those
    under way. k boots on K cores all finish at k * boot / K, so more of them only finish later.
    """  # fmt: skip
    cores = cores_of(policy, view.snapshot.host) or 1.0
    idle = max(cores / 2.0, cores - (view.fast.cpu or 0.0))
    batch = math.ceil(idle * max(1.0, _BOOT_BATCH_SECONDS / view.crew.boot_cpu_seconds))
    asked_for = max(0, view.snapshot.target - view.crew.serving)
    return max(0, batch - view.crew.booting - asked_for)


def backing_off(snapshot: Snapshot) -> bool:
    """A worker failed to boot, and the pause after that is not over."""
    return snapshot.boot_backoff_until is not None and snapshot.boot_backoff_until > snapshot.at


def held(snapshot: Snapshot) -> bool:
    """An operator has changed the count, and it is still left alone."""
    return snapshot.held_until is not None and snapshot.held_until > snapshot.at
