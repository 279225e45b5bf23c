"""Recycling for memory: replacement first, one at a time, under pressure only if memory forces it."""

from __future__ import annotations

from dataclasses import replace

from gunicorn_autotune.law.caps import backing_off, held, pids_cap
from gunicorn_autotune.law.memory import fresh_bytes, memory_cap, runs_out, surge_fits
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.history import History, Recycling
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.snapshot import Snapshot, WorkerState

_PATIENCE_SECONDS = 60.0
"""A replacement that is not ready by then, and twice its boot, is given up."""
_REST_SECONDS = 300.0
"""Then no recycle is begun for this long: every one costs a boot."""


def recycling(policy: Policy, history: History, view: View) -> History:
    """`history` with a recycle begun when one is due, and ended when it can no longer be carried through."""
    under_way, snapshot = history.recycling, view.snapshot
    if under_way is not None:
        if _goes_on(policy, under_way, view):
            return history
        rest = view.mark.at + _REST_SECONDS if given_up(under_way, view) else 0.0
        return replace(history, recycling=None, no_recycle_before=rest)
    if view.mark.at < history.no_recycle_before:
        return history
    fresh = fresh_bytes(history, snapshot)
    history = replace(history, fresh_bytes=fresh)
    if view.crew.booting or view.crew.serving != snapshot.target or not _one_more_may_start(policy, snapshot):
        return history
    if view.pressed is not None and not _forced(policy, snapshot):
        return history
    victim = runs_out(policy, snapshot, fresh, view.crew.boot_seconds)
    if victim is None or not surge_fits(policy, snapshot, fresh):
        return history
    return replace(history, recycling=Recycling(victim.age, snapshot.target, view.mark.at))


def replacement_ready(under_way: Recycling, view: View) -> bool:
    """All the workers are up, the replacement among them."""
    return view.crew.ready > under_way.workers


def given_up(under_way: Recycling, view: View) -> bool:
    """The replacement has not become ready in time: keep the old one."""
    return view.mark.at - under_way.since > max(_PATIENCE_SECONDS, 2.0 * view.crew.boot_seconds)


def _goes_on(policy: Policy, under_way: Recycling, view: View) -> bool:
    """As long as the victim lives, nobody else has changed the count, and the replacement can be had."""
    added = view.snapshot.target - under_way.workers
    victim = any(
        worker.age == under_way.age and worker.state is not WorkerState.DRAINING for worker in view.snapshot.workers
    )
    waits = added == 0 and _one_more_may_start(policy, view.snapshot) and not given_up(under_way, view)
    return victim and (added == 1 or waits)


def _forced(policy: Policy, snapshot: Snapshot) -> bool:
    """Memory allows no worker more, so it will not wait for calm."""
    fits = memory_cap(policy, snapshot)
    return fits is not None and fits <= snapshot.target


def _one_more_may_start(policy: Policy, snapshot: Snapshot) -> bool:
    """Below the maximum and the pids limit, no boot has failed just now, and nobody has asked to leave the count."""
    pids = pids_cap(snapshot)
    free = snapshot.target < policy.max_workers and (pids is None or snapshot.target < pids)
    return free and not held(snapshot) and snapshot.frozen is None and not backing_off(snapshot)
