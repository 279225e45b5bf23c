"""Recycling for memory: replacement first, one at a time, under pressure only if memory forces it."""

from __future__ import annotations

from dataclasses import replace

from gunicorn_autotune.law.memory import fresh_bytes, memory_cap, runs_out, surge_fits
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.history import History, Recycling
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.snapshot import WorkerState

_PATIENCE_SECONDS = 60.0
"""A replacement that is not ready by then, and twice its boot, is given up."""


def recycling(policy: Policy, history: History, view: View) -> History:
    """`history` with a recycle begun when one is due, and ended when it can no longer be carried through."""
    under_way, snapshot = history.recycling, view.snapshot
    if under_way is not None:
        return history if _goes_on(under_way, view) else replace(history, recycling=None)
    fresh = fresh_bytes(history, snapshot)
    history = replace(history, fresh_bytes=fresh)
    forced = (memory_cap(policy, snapshot) or snapshot.target + 1) <= snapshot.target
    if (view.pressed is not None and not forced) or view.crew.booting or view.crew.serving != snapshot.target:
        return history
    victim = runs_out(policy, snapshot, fresh, view.crew.boot_seconds)
    if victim is None or snapshot.target >= policy.max_workers or not surge_fits(policy, snapshot, fresh):
        return history
    return replace(history, recycling=Recycling(victim.age, snapshot.target, view.mark.at))


def replacement_ready(under_way: Recycling, view: View) -> bool:
    """All the workers are up, the replacement among them."""
    return view.crew.ready > under_way.workers


def given_up(under_way: Recycling, view: View) -> bool:
    """The replacement has not become ready in time: keep the old one."""
    return view.mark.at - under_way.since > max(_PATIENCE_SECONDS, 2.0 * view.crew.boot_seconds)


def _goes_on(under_way: Recycling, view: View) -> bool:
    """As long as the victim lives and nobody else has changed the count."""
    victim = any(
        worker.age == under_way.age and worker.state is not WorkerState.DRAINING for worker in view.snapshot.workers
    )
    return victim and view.snapshot.target - under_way.workers in (0, 1)
