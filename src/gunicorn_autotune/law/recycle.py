"""Recycling, one scheduler for every cause: replacement first, or drain first where there is no room for it."""

from __future__ import annotations

from dataclasses import replace

from gunicorn_autotune.law.answer import Choice, hold
from gunicorn_autotune.law.caps import backing_off, pids_cap
from gunicorn_autotune.law.due import due
from gunicorn_autotune.law.memory import memory_budget, memory_cap, replacements_that_fit
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import Action, Cause, Reason
from gunicorn_autotune.model.history import History, Recycling
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.snapshot import Snapshot, WorkerState

_PATIENCE_SECONDS = 60.0
"""A replacement that is not ready by then, and twice its boot, is given up."""
_REST_SECONDS = 300.0
"""Then no recycle is begun for this long: every one costs a boot."""
_ANY_NUMBER = 10**6


def recycling(policy: Policy, history: History, view: View) -> History:
    """`history` with a recycle begun when one is due, and ended when it is over or cannot be carried through."""
    under_way = history.recycling
    if under_way is None:
        return _begun(policy, history, view)
    now = _present(under_way, view)
    if _over(now, view.snapshot):
        ended = (*history.recycled_at, view.mark.at)[-policy.recycles_per_hour :]
        return replace(history, recycling=None, recycled_at=ended)
    if _goes_on(policy, history, now, view):
        return history if now == under_way else replace(history, recycling=now)
    rest = view.mark.at + _REST_SECONDS if given_up(now, view) else 0.0
    return replace(history, recycling=None, no_recycle_before=rest)


def recycle_choice(under_way: Recycling, view: View, *, growth_first: bool) -> Choice | None:
    """The next step. Growth for the load goes before a replacement, and ends the recycle: it stays as one more."""
    snapshot, cause = view.snapshot, under_way.cause
    added = snapshot.target - under_way.workers
    if not under_way.surge:
        return _drain_choice(under_way, snapshot)
    if added and view.crew.ready > under_way.workers:
        return Choice(Action.SHRINK, Reason.RECYCLE, snapshot.target - 1, under_way.ages[0], cause)
    if added and given_up(under_way, view):
        return Choice(Action.SHRINK, Reason.RECYCLE, under_way.workers, cause=cause)
    if growth_first:
        return None
    if added:
        return hold(snapshot, Reason.RECYCLE, cause)
    return Choice(Action.GROW, Reason.RECYCLE, under_way.workers + len(under_way.ages), cause=cause)


def given_up(under_way: Recycling, view: View) -> bool:
    """The replacement has not become ready in time: keep the old one."""
    return under_way.surge and view.mark.at - under_way.since > max(_PATIENCE_SECONDS, 2.0 * view.crew.boot_seconds)


def _drain_choice(under_way: Recycling, snapshot: Snapshot) -> Choice:
    """Out with the old one, and only when it is gone in with the new."""
    if snapshot.target == under_way.workers:
        fewer = under_way.workers - 1
        return Choice(Action.SHRINK, Reason.DRAIN_FIRST, fewer, under_way.ages[0], under_way.cause)
    if any(worker.age == under_way.ages[0] for worker in snapshot.workers):
        return hold(snapshot, Reason.RECYCLE, under_way.cause)
    return Choice(Action.GROW, Reason.RECYCLE, under_way.workers, cause=under_way.cause)


def _present(under_way: Recycling, view: View) -> Recycling:
    """`under_way` with the workers that still have to leave; their time begins again with each that has left."""
    if not under_way.surge:
        return under_way
    drains = WorkerState.DRAINING
    staying = {worker.age for worker in view.snapshot.workers if worker.state is not drains}
    left = tuple([age for age in under_way.ages if age in staying])
    return under_way if left == under_way.ages else replace(under_way, ages=left, since=view.mark.at)


def _over(under_way: Recycling, snapshot: Snapshot) -> bool:
    """Everyone who had to leave has been told to, or is gone, and the count is what it was."""
    if snapshot.target != under_way.workers:
        return False
    if under_way.surge:
        return not under_way.ages
    return all(worker.age != under_way.ages[0] for worker in snapshot.workers)


def _goes_on(policy: Policy, history: History, under_way: Recycling, view: View) -> bool:
    """As long as nobody else has changed the count, and the replacement can be had."""
    snapshot = view.snapshot
    added = snapshot.target - under_way.workers
    may_begin = snapshot.frozen is None and not backing_off(snapshot)
    if under_way.surge:
        waits = added == 0 and may_begin and not given_up(under_way, view)
        return 0 < added <= len(under_way.ages) or (waits and _room(policy, history, snapshot) >= 1)
    state = {worker.age: worker.state for worker in snapshot.workers}.get(under_way.ages[0])
    if added == 0:
        return may_begin and state is not None and state is not WorkerState.DRAINING
    return added == -1 and (state is None or state is WorkerState.DRAINING)


def _begun(policy: Policy, history: History, view: View) -> History:
    """`history` with the most urgent recycle begun, where one is due and nothing stands against it now."""
    snapshot, crew = view.snapshot, view.crew
    quiet = not crew.booting and crew.serving == snapshot.target and snapshot.frozen is None
    if not quiet or view.mark.at < history.no_recycle_before or backing_off(snapshot):
        return history
    wanted = due(policy, history, view)
    if wanted is None:
        return history
    cause, workers = wanted
    if view.pressed is not None and not _forced(policy, history, snapshot):
        return history
    room = _room(policy, history, snapshot)
    if room < 1 and crew.ready < 2 and not _over_reserve(policy, snapshot):
        return history
    at_once = {Cause.MEMORY: 1, Cause.RELOAD: max(policy.recycle_max_unavailable, room // 2)}
    count = min(at_once.get(cause, policy.recycle_max_unavailable), max(1, room))
    ages = tuple([worker.age for worker in workers[:count]])
    return replace(history, recycling=Recycling(ages, snapshot.target, view.mark.at, cause, surge=room >= 1))


def _forced(policy: Policy, history: History, snapshot: Snapshot) -> bool:
    """Memory allows no worker more, so it will not wait for calm."""
    fits = memory_cap(policy, snapshot, history.peaks)
    return fits is not None and fits <= snapshot.target


def _over_reserve(policy: Policy, snapshot: Snapshot) -> bool:
    budget = memory_budget(policy, snapshot.host)
    return budget is not None and budget < 0.0


def _room(policy: Policy, history: History, snapshot: Snapshot) -> int:
    """How many replacements may stand beside the workers they replace: maximum, pids limit and memory."""
    most = policy.max_workers if policy.recycle_surge == "off" else None
    ends = [end - snapshot.target for end in (most, pids_cap(snapshot)) if end is not None]
    fits = replacements_that_fit(policy, history, snapshot)
    return min([*ends, _ANY_NUMBER if fits is None else fits])
