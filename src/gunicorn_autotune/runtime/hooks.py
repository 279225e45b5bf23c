"""Gunicorn's hooks, each chained before or after the user's own, never in place of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gunicorn_autotune.model import intent
from gunicorn_autotune.model.status import Door, ExitReason, Mode
from gunicorn_autotune.runtime import (
    actuator,
    boots,
    compat,
    differences,
    drains,
    exits,
    flight,
    in_force,
    reload,
    slots,
    user_metrics,
    worker,
    written,
)
from gunicorn_autotune.runtime.exporter_process import EXPORTER_SETTINGS
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.setup import identity_of, resolved_max
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.runtime.surroundings import HAS_PROC
from gunicorn_autotune.scoreboard import layout

LEAVING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGKILL)


def chain(server: Any, tune: Autotune) -> None:
    """Attach all our hooks to the arbiter's present configuration; a reload makes a new one and chains again."""
    ours: dict[str, Callable[..., object]] = {
        "pre_fork": lambda server, new: before_fork(server, tune, new),
        "post_fork": lambda server, new: worker.after_fork(tune, new),
        "child_exit": lambda server, gone: child_exit(server, tune, gone),
        "worker_exit": lambda server, gone: worker_exit(server, tune, gone),
        "on_reload": lambda server: on_reload(server, tune),
        "nworkers_changed": lambda server, new, old: nworkers_changed(server, tune, new, old),
        "post_worker_init": lambda new: worker.after_init(tune, new),
    }
    chained = {name: CHAINED[name](Door(name), tune, ours[name], getattr(server.cfg, name)) for name in CHAINED}
    for name, hook in chained.items():
        server.cfg.set(name, hook)


def _on_server(door: Door, tune: Autotune, ours: Callable[..., object], theirs: Callable[..., None]) -> Any:
    """`ours`, guarded, and then `theirs`, which may fail as it always could.

    Gunicorn checks the number of arguments by signature, hence no *args here and in the next three.
    """

    def hook(server: Any) -> None:
        tune.doors.through(door, ours, server)
        theirs(server)

    return hook


def _on_worker(door: Door, tune: Autotune, ours: Callable[..., object], theirs: Callable[..., None]) -> Any:
    def hook(server: Any, worker: Any) -> None:
        tune.doors.through(door, ours, server, worker)
        theirs(server, worker)

    return hook


def _on_count(door: Door, tune: Autotune, ours: Callable[..., object], theirs: Callable[..., None]) -> Any:
    def hook(server: Any, new: Any, old: Any) -> None:
        tune.doors.through(door, ours, server, new, old)
        theirs(server, new, old)

    return hook


def _in_worker(door: Door, tune: Autotune, ours: Callable[..., object], theirs: Callable[..., None]) -> Any:
    """`theirs` first: the app may do a lot in its own post_worker_init, and ready means after it."""

    def hook(worker: Any) -> None:
        theirs(worker)
        tune.doors.through(door, ours, worker)

    return hook


CHAINED = {
    "pre_fork": _on_worker,
    "post_fork": _on_worker,
    "child_exit": _on_worker,
    "worker_exit": _on_worker,
    "on_reload": _on_server,
    "nworkers_changed": _on_count,
    "post_worker_init": _in_worker,
}
"""Gunicorn's hooks that we take part in, and how ours goes with the user's own."""


def before_fork(server: Any, tune: Autotune, new: Any) -> None:
    """A worker is about to be forked."""
    slots.assign(tune, new)
    user_metrics.begin(server, tune.policy)


def worker_exit(server: Any, tune: Autotune, gone: Any) -> None:
    """In the worker: note the exit code. In the arbiter (kill_worker found it dead already): it counts as reaped."""
    if os.getpid() == server.pid:
        child_exit(server, tune, gone)
    else:
        worker.before_exit(gone)


def child_exit(server: Any, tune: Autotune, gone: Any) -> None:
    """A worker was reaped: say why it left, free its slot, and contain a failed boot.

    Before 25.1 this runs inside a signal handler: no iteration over something the loop may be changing.
    """
    tracked: Tracked | None = getattr(gone, "autotune", None)
    if tracked is None or tracked.age not in tune.tracked:
        return
    reason = exits.exit_reason(tune, tracked)
    was_ready = tracked.was_ready or (tracked.row is not None and tracked.row[layout.READY_NS] > 0)
    tune.tally.exits[reason] += 1
    tune.tally.last_exits[reason] = time.time()
    boots.note_exit(server, tune, tracked, reason)
    slots.release(tune, tracked)
    if reason is ExitReason.ERROR and not was_ready and tune.mode is Mode.ACTIVE and tune.frozen != "shutdown":
        actuator.roll_back_boot(server, tune, f"worker {gone.pid} failed to boot")


TERM_AGAIN_SECONDS = 0.9
LEAVING_BECAUSE = {"reload": ExitReason.RELOAD, "shutdown": ExitReason.SHUTDOWN}


def before_kill(server: Any, tune: Autotune, pid: int, sig: int) -> bool:
    """The arbiter is about to signal a worker: from now on it is leaving, not capacity. False: too soon again.

    Its age goes below all others, since Gunicorn keeps terminating the lowest ages while WORKERS holds too many.
    """
    tracked: Tracked | None = getattr(server.WORKERS.get(pid), "autotune", None)
    if tracked is None or sig not in LEAVING_SIGNALS:
        return True
    tracked.sent.add(int(sig))
    now = time.monotonic()
    if sig == signal.SIGTERM:
        if now - tracked.terminated_at < TERM_AGAIN_SECONDS and tune.frozen != "shutdown":
            return False
        tracked.terminated_at = now
    if not tracked.draining:
        tracked.draining = True
        tracked.draining_at = now
        actuator.put_first_in_line(server, tracked)
        if tracked.exit_reason is None and not tracked.worker.aborted:
            tracked.exit_reason = LEAVING_BECAUSE.get(tune.frozen or "", ExitReason.SCALE_DOWN)
        if sig == signal.SIGTERM and tune.frozen is None and tune.mode is Mode.ACTIVE:
            drains.let_hold(server, tune, tracked)
    return True


def nworkers_changed(server: Any, tune: Autotune, new: int, old: int | None) -> None:
    """A count that we did not set is an operator's: left alone for a while, said in the log."""
    if tune.acting or old is None or new == old or server.autotune is not tune:
        return
    actuator.note_operators_count(server, tune, raised=new > old)
    tune.held_until = time.monotonic() + tune.policy.operator_hold_seconds
    server.log.info(
        line("operator", workers=f"{old}->{new}", hold_seconds=tune.policy.operator_hold_seconds)
    )  # fmt: skip


def set_first_target(server: Any, tune: Autotune) -> None:
    """The count that was written, or Gunicorn's default, inside our bounds."""
    target = within(tune, server.num_workers)
    if tune.mode is Mode.ACTIVE and target != server.num_workers:
        actuator.set_target(server, tune, target)


def within(tune: Autotune, workers: int) -> int:
    """`workers` inside the operator's bounds."""
    sized = tune.history is not None and tune.history.sized
    return intent.within(replace(tune.policy, max_workers=resolved_max(tune.policy, sized=sized)), workers)


def on_reload(server: Any, tune: Autotune) -> None:
    """After Gunicorn has read the configuration again, before it spawns the new set."""
    meant = differences.intended(server, written.policy)
    policy = meant.policy
    exporter_changed = any(getattr(policy, name) != getattr(tune.policy, name) for name in EXPORTER_SETTINGS)
    was_active = tune.mode is not Mode.OBSERVE
    tune.policy = policy
    tune.mode = Mode(policy.mode) if HAS_PROC and policy.mode != "off" else Mode.OBSERVE
    tune.threads = compat.requests_at_once(server)
    tune.records = compat.kind_of(server.worker_class) != compat.UNKNOWN
    tune.identity = identity_of(server)
    tune.gunicorn = in_force.published(server)
    tune.flight = flight.after_reload(server, tune)
    tune.faults_in_row = 0
    tune.faults_logged.clear()
    tune.doors.forget_told()
    tune.refused.clear()
    differences.tell(server, tune, meant)
    if tune.mode is Mode.ACTIVE:
        reload.prepare(server, tune, within(tune, reload.count_wanted(server, tune, meant.workers)))
    elif was_active and meant.workers is None and tune.target_before_reload:
        # From active to observe: Gunicorn's default of one is what nobody asked for.
        server.cfg.set("workers", tune.target_before_reload)
        actuator.set_target(server, tune, tune.target_before_reload)
    tune.written_workers = meant.workers
    if (user_metrics.moved() or exporter_changed) and tune.exporter is not None:
        tune.exporter.stop()
        tune.exporter.policy = policy
