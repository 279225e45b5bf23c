"""Recycling, one scheduler for every cause: replacement first, or drain first where there is no room for it."""

from __future__ import annotations

from dataclasses import replace

from gunicorn_autotune.law.answer import Choice, hold
from gunicorn_autotune.law.caps import backing_off, files_spare, held, pids_cap
from gunicorn_autotune.law.due import due, recycles_allowed
from gunicorn_autotune.law.memory import pressed, replacements_that_fit
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import Action, Cause, Reason
from gunicorn_autotune.model.history import History, Recycling
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.snapshot import Snapshot, WorkerReading, WorkerState

_PATIENCE_SECONDS = 60.0
"""A replacement that is not ready by then, and twice its boot, is given up."""
_REST_SECONDS = 300.0
"""Then no recycle is begun for this long: every one costs a boot."""
_ANY_NUMBER = 10**6
_ROUTINE = frozenset({Cause.AGE, Cause.REQUESTS})
"""Causes that wait until memory pressure is over: the others relieve it, or somebody asked."""


def recycling(policy: Policy, history: History, view: View) -> History:
    """`history` with a recycle begun when one is due, and ended when it is over or cannot be carried through."""
    under_way = history.recycling
    if under_way is None:
        return _begun(policy, history, view)
    if _operator_came(policy, under_way, view.snapshot):
        return replace(history, recycling=None)
    now = _present(under_way, view)
    over = _over(now, view.snapshot)
    left = len(under_way.ages) - len(now.ages) if under_way.surge else int(over)
    if left:
        history = replace(
            history, recycled_at=(*history.recycled_at, *[view.mark.at] * left)[-policy.recycles_per_hour :]
        )
    if over:
        return replace(history, recycling=None)
    if _goes_on(policy, history, now, view):
        return history if now == under_way else replace(history, recycling=now)
    rest = view.mark.at + _REST_SECONDS if given_up(now, view) else 0.0
    return replace(history, recycling=None, no_recycle_before=rest)


def recycle_choice(under_way: Recycling, view: View, *, growth_first: bool) -> Choice | None:
    """The next step. Growth for the load goes before a replacement, and ends the recycle: it stays as one more.

    While the load wants that one more, nobody leaves, but for memory.
    """
    snapshot, cause = view.snapshot, under_way.cause
    if not under_way.surge:
        return _drain_choice(under_way, snapshot)
    added, leaving = snapshot.target - under_way.workers, len(under_way.ages)
    swap = leaving and added and view.crew.ready > under_way.workers
    if swap and (cause is Cause.MEMORY or not growth_first):
        return Choice(Action.SHRINK, Reason.RECYCLE, snapshot.target - 1, _next(under_way, snapshot), cause)
    if growth_first:
        return None
    if added > leaving:  # who should leave has died, and been replaced already
        return Choice(Action.SHRINK, Reason.RECYCLE, under_way.workers + leaving, cause=cause)
    if added and given_up(under_way, view):
        return Choice(Action.SHRINK, Reason.RECYCLE, under_way.workers, cause=cause)
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
    if backing_off(snapshot):
        return hold(snapshot, Reason.BOOT_BACKOFF)
    return Choice(Action.GROW, Reason.RECYCLE, under_way.workers, cause=under_way.cause)


def _next(under_way: Recycling, snapshot: Snapshot) -> int:
    """Who leaves next: one that is idle now, else the first."""
    idle = {worker.age for worker in snapshot.workers if worker.state is WorkerState.IDLE}
    return next((age for age in under_way.ages if age in idle), under_way.ages[0])


def _operator_came(policy: Policy, under_way: Recycling, snapshot: Snapshot) -> bool:
    """An operator has changed the count since the present step began: what they see now is what they want."""
    until = snapshot.held_until
    return until is not None and held(snapshot) and until - policy.operator_hold_seconds > under_way.since


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
        return added > 0 or (waits and _room(policy, history, snapshot) >= 1)
    state = {worker.age: worker.state for worker in snapshot.workers}.get(under_way.ages[0])
    if added == 0:
        return may_begin and state is not None and state is not WorkerState.DRAINING
    stuck = view.mark.at - under_way.since > _REST_SECONDS + _PATIENCE_SECONDS
    return added == -1 and (state is None or (state is WorkerState.DRAINING and not stuck))


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
    if pressed(snapshot.host) and cause in _ROUTINE:
        return history
    room = _room(policy, history, snapshot)
    if room < 1 and not (_may_drain_first(cause, view) and _let_go(policy, cause, workers[0])):
        return history
    count = min(_at_once(policy, history, view, cause, room), max(1, room))
    ages = tuple([worker.age for worker in workers[:count]])
    return replace(history, recycling=Recycling(ages, snapshot.target, view.mark.at, cause, surge=room >= 1))


def _may_drain_first(cause: Cause, view: View) -> bool:
    """Another one serves; requests do not wait, or memory and new code cannot; and the last boot did not fail.

    One that serves alone goes only when an operator asks: requests wait in the kernel's queue until the next is ready.
    """
    if view.crew.ready < 2 and cause is not Cause.OPERATOR:
        return False
    if cause is Cause.MEMORY:
        return True
    failed = view.snapshot.boot_backoff_until
    boots = failed is None or view.mark.at > failed + _REST_SECONDS
    return boots and (view.pressed is None or cause is Cause.RELOAD)


def _let_go(policy: Policy, cause: Cause, worker: WorkerReading) -> bool:
    """It holds nothing, or has for longer than anybody waits: without room it cannot stay beside its replacement."""
    if cause in (Cause.MEMORY, Cause.RELOAD, Cause.OPERATOR) or not worker.held:
        return True
    return worker.held_seconds >= policy.recycle_hold_seconds


def _at_once(policy: Policy, history: History, view: View, cause: Cause, room: int) -> int:
    """How many are replaced together: a reload has half of what memory has room for, memory itself one."""
    most = policy.recycle_max_unavailable
    if cause is Cause.MEMORY:
        return 1
    if cause is Cause.RELOAD:
        return max(most, room // 2) if room < _ANY_NUMBER else most
    return most if cause is Cause.OPERATOR else min(most, recycles_allowed(policy, history, view))


def _room(policy: Policy, history: History, snapshot: Snapshot) -> int:
    """How many replacements may stand beside the workers they replace: maximum, pids, open files and memory."""
    fits, pids, files = replacements_that_fit(policy, history, snapshot), pids_cap(snapshot), files_spare(snapshot)
    room = [_ANY_NUMBER] if fits is None else [fits]
    if pids is not None:
        room.append(pids - snapshot.target)
    if files is not None:
        room.append(max(0, files))
    if policy.recycle_surge == "off":  # those that drain have not given their connections back
        room.append(policy.max_workers - max(snapshot.target, len(snapshot.workers)))
    return min(room)
