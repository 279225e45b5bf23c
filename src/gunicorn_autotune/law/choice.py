"""The second half of a decision: what is done, and the one reason for it. The first rule that has an answer wins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gunicorn_autotune.law.answer import Choice, hold
from gunicorn_autotune.law.caps import backing_off, boots_allowed, held
from gunicorn_autotune.law.ceiling import allowed
from gunicorn_autotune.law.cores import cores_full
from gunicorn_autotune.law.demand import Need
from gunicorn_autotune.law.memory import drains_bytes, leaving_at_once, memory_budget
from gunicorn_autotune.law.recycle import recycle_choice
from gunicorn_autotune.law.shrink import EVERY_SECONDS, excess, removable, rested, waited
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import Action, CapName, Cause, Reason
from gunicorn_autotune.model.history import History, Recycling
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.model.snapshot import Snapshot

_AT_CAP = {
    CapName.MEMORY: Reason.AT_MEMORY_CAP,
    CapName.CPU: Reason.AT_CPU_CAP,
    CapName.PIDS: Reason.AT_PIDS_CAP,
    CapName.FILES: Reason.AT_FILES_CAP,
    CapName.CONFIG_MAX: Reason.AT_MAX,
}
_SHRINK_FOR = {CapName.CPU: Reason.CPU, CapName.MEMORY: Reason.MEMORY}


@dataclass(frozen=True, slots=True)
class Question:
    """All that the rules below look at."""

    policy: Policy
    history: History
    view: View
    need: Need
    limits: Mapping[CapName, int]

    @property
    def count(self) -> int:
        """Workers asked of the arbiter now."""
        return self.view.snapshot.target

    @property
    def staying(self) -> int:
        """The same without a replacement, which one of the others makes room for."""
        under_way = self.history.recycling
        return self.count if under_way is None else min(self.count, under_way.workers)

    @property
    def wants_more(self) -> bool:
        """The load wants more workers than there are without a replacement."""
        return self.staying < min(self.need.want, self.limit)

    @property
    def keeps_replacement(self) -> bool:
        """The load wants the replacement and the worker it was to replace, and memory does not want that one gone."""
        under_way = self.history.recycling
        if under_way is None or under_way.cause is Cause.MEMORY or _fixed(self.policy, self.view.snapshot):
            return False
        return self.count > under_way.workers and self.wants_more

    @property
    def limit(self) -> int:
        """Most workers to grow to; the operator's minimum wins over every cap."""
        most = min(self.limits.values())
        ceiling = allowed(self.history, self.view.mark.at)
        return max(self.policy.min_workers, most if ceiling is None else min(most, ceiling))

    @property
    def at_ceiling(self) -> bool:
        """What limits growth is that growth did not pay, not a cap."""
        ceiling = allowed(self.history, self.view.mark.at)
        return ceiling is not None and ceiling <= min(self.limits.values())

    @property
    def binding(self) -> CapName:
        """The cap that is the limit; the host's before the operator's, whose raising would not help."""
        return min(self.limits, key=lambda name: self.limits[name])

    @property
    def over_memory(self) -> bool:
        """Memory in use reaches into the reserve, and will when those that drain are gone."""
        budget = memory_budget(self.policy, self.view.snapshot.host)
        return budget is not None and budget + drains_bytes(self.view.snapshot) < 0.0

    @property
    def cores_full(self) -> bool:
        """The workers use all the cores there are."""
        return cores_full(self.policy, self.view)


def choose_without_need(policy: Policy, history: History, view: View | None, snapshot: Snapshot) -> Choice:
    """Where no load can be told: what the operator asked for, and recycling."""
    under_way = history.recycling if view else None
    return (
        _frozen(snapshot)
        or (recycle_choice(under_way, view, growth_first=False) if view and under_way else None)
        or _ordered(policy, snapshot, history.recycling)
        or hold(snapshot, Reason.MISSING)
    )


def choose(ask: Question) -> Choice:
    """Orders first, then danger, growth, shrinking, and the reason for a hold.

    A count that is fixed stays so while a worker is replaced, so recycling goes before it.
    """
    snapshot = ask.view.snapshot
    return (
        _frozen(snapshot)
        or (_recycle(ask, growth_first=False) if _fixed(ask.policy, snapshot) else None)
        or _ordered(ask.policy, snapshot, ask.history.recycling)
        or _out_of_memory(ask)
        or _roll_back(ask)
        or _recycle(ask, growth_first=ask.wants_more)
        or _grow(ask)
        or _shrink(ask)
        or hold(snapshot, _why_hold(ask))
    )


def _frozen(snapshot: Snapshot) -> Choice | None:
    return None if snapshot.frozen is None else hold(snapshot, Reason.FROZEN)


def _fixed(policy: Policy, snapshot: Snapshot) -> bool:
    return held(snapshot) or policy.min_workers == policy.max_workers


def _ordered(policy: Policy, snapshot: Snapshot, under_way: Recycling | None) -> Choice | None:
    """Operator's hold, and the bounds of the policy; min == max leaves nothing else to decide."""
    count = snapshot.target if under_way is None else under_way.workers
    if held(snapshot):
        return hold(snapshot, Reason.OPERATOR)
    if min(count, snapshot.target) > policy.max_workers:
        return Choice(Action.SHRINK, Reason.ABOVE_MAX, policy.max_workers)
    if count < policy.min_workers:
        if backing_off(snapshot):
            return hold(snapshot, Reason.BOOT_BACKOFF)
        return Choice(Action.GROW, Reason.BELOW_MIN, policy.min_workers)
    if policy.min_workers == policy.max_workers:
        return hold(snapshot, Reason.STEADY)
    return None


def _out_of_memory(ask: Question) -> Choice | None:
    """After an OOM kill at once to what fits; over the reserve one worker fewer every 5 s, unless one is recycled.

    Over the limit itself, as when MemoryHigh is lowered, at once as many as are too many: everybody is throttled.
    One that was recycled last has 5 s to leave, and its memory to be seen free.
    """
    at, least, snapshot = ask.view.mark.at, ask.policy.min_workers, ask.view.snapshot
    oom = ask.history.oom
    if oom is not None and at < oom[0] and ask.staying > max(least, oom[1]):
        return Choice(Action.SHRINK, Reason.OOM_KILL, max(least, oom[1]))
    if not ask.over_memory or ask.count <= least or ask.history.recycling is not None:
        return None
    recycled_at = ask.history.recycled_at
    if not rested(ask.history, at) or (recycled_at and at - recycled_at[-1] < EVERY_SECONDS):
        return hold(snapshot, Reason.AT_MEMORY_CAP)
    return Choice(Action.SHRINK, Reason.MEMORY, max(least, ask.count - leaving_at_once(ask.policy, snapshot)))


def _recycle(ask: Question, *, growth_first: bool) -> Choice | None:
    """The next step of the recycle under way."""
    under_way = ask.history.recycling
    return None if under_way is None else recycle_choice(under_way, ask.view, growth_first=growth_first)


def _roll_back(ask: Question) -> Choice | None:
    """Down to what the ceiling allows, at once: the workers above it did not pay."""
    ceiling = ask.history.ceiling
    if ceiling is None or ask.view.mark.at >= ceiling.until or ask.view.pressed is None:
        return None
    target = max(ask.policy.min_workers, ceiling.workers)
    return Choice(Action.ROLLBACK, Reason.NO_GAIN, target) if target < ask.staying else None


def _grow(ask: Question) -> Choice | None:
    """All the way to what is wanted, as far as the caps and the boots under way allow."""
    snapshot = ask.view.snapshot
    if ask.need.want <= ask.count:
        return None
    if backing_off(snapshot):
        return hold(snapshot, Reason.BOOT_BACKOFF)
    if ask.limit <= ask.count:
        return hold(snapshot, Reason.NO_GAIN if ask.at_ceiling else _AT_CAP[ask.binding])
    boots = boots_allowed(ask.policy, ask.view)
    if boots <= 0:
        return hold(snapshot, Reason.BOOTING)
    target = min(ask.need.want, ask.limit, ask.count + boots)
    reason = ask.need.reason if ask.need.reason is not Reason.DEMAND else ask.view.pressed or Reason.DEMAND
    return Choice(Action.GROW, reason, target)


def _shrink(ask: Question) -> Choice | None:
    """Part of the excess, when it has been one for the whole window.

    Where a cap is below what the load would keep busy, the cap is the reason, not the load. Workers that hold
    long-lived connections are waited for, unless memory is that cap.
    """
    if ask.view.pressed is not None:
        return None
    policy, count = ask.policy, ask.count
    fewer = removable(policy, ask.history, ask.view.mark.at, count, policy.min_workers)
    if fewer <= 0:
        return None
    capped = ask.need.keep > ask.limit and not ask.at_ceiling
    reason = _SHRINK_FOR.get(ask.binding, Reason.LOAD_FELL) if capped else Reason.LOAD_FELL
    if reason is not Reason.MEMORY and not waited(policy, ask.history, ask.view.mark.at):
        # Whoever boots holds nothing.
        fewer = min(fewer, count - ask.view.crew.holding)
        if fewer <= 0:
            return hold(ask.view.snapshot, Reason.HELD)
    return Choice(Action.SHRINK, reason, count - fewer)


def _why_hold(ask: Question) -> Reason:
    if backing_off(ask.view.snapshot):
        return Reason.BOOT_BACKOFF
    if ask.over_memory:
        return Reason.AT_MEMORY_CAP
    if ask.view.pressed is not None:
        if ask.count >= ask.limit:
            return Reason.NO_GAIN if ask.at_ceiling else _AT_CAP[ask.binding]
        if ask.cores_full:
            return Reason.AT_CPU_CAP
        return Reason.BOOTING if ask.view.crew.booting else Reason.VERIFYING
    kept = max(ask.policy.min_workers, min(ask.need.keep, ask.limit))
    if excess(ask.count, kept):
        return Reason.COOLING
    # No queue in the kernel; whether the count is right nobody can say who does not see the requests.
    return Reason.MISSING if isinstance(ask.need.demand, Missing) else Reason.STEADY
