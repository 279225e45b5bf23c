"""THE LAW: one pure function from what is known to what is done. No clock, file, socket, log or chance.

    offered load -> Erlang-C -> caps of the host -> up at once, down slowly

The parts: crew, spans, view (what is known), service, demand, staffing (what is needed), caps, memory (what is
allowed), levels, judge, ceiling, verify (did growth pay), pressure, recycle, shrink, choice (what is done). Formulas
and constants are explained where they stand.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from gunicorn_autotune.law.answer import Choice
from gunicorn_autotune.law.caps import caps, files_cap, pids_cap
from gunicorn_autotune.law.choice import Question, choose, choose_without_need
from gunicorn_autotune.law.demand import Need, calm_need, kernel_need, pressed_need
from gunicorn_autotune.law.facts import bottleneck, facts
from gunicorn_autotune.law.look import look, start
from gunicorn_autotune.law.memory import memory_cap, oom_seen
from gunicorn_autotune.law.recycle import recycling
from gunicorn_autotune.law.shrink import regretted, remember, shrunk, window_seconds
from gunicorn_autotune.law.sizes import shed, sizes_seen
from gunicorn_autotune.law.verify import verified
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import Action, Bottleneck, CapName, Cause, Decision, Reason
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import Missing, Reading
from gunicorn_autotune.model.snapshot import Snapshot

__all__ = ["decide", "start"]

_NOT_FOR_THE_LOAD = (Reason.RECYCLE, Reason.BELOW_MIN)
_SLOW_SHRINKS = (Reason.LOAD_FELL, Reason.CPU, Reason.MEMORY, Reason.OOM_KILL)
_FOR_ITS_SIZE = (Cause.MEMORY, Cause.SIZE, Cause.LEAK)


def decide(policy: Policy, history: History, snapshot: Snapshot) -> tuple[Decision, History]:
    """What the worker count should be now, why, and what to remember; `policy.max_workers` must be above 0.

    May be called at any interval; the more often, the sooner a step in load is seen for what it is.
    """
    before = history
    view, history = look(policy, before, snapshot)
    need = _need(policy, history, view) if view else None
    if view is None or need is None:
        if view is not None:
            history = recycling(policy, sizes_seen(policy, oom_seen(policy, history, snapshot), snapshot), view)
        choice = choose_without_need(policy, history, view, snapshot)
        decision = _without_need(policy, history, snapshot, choice)
        if history is before:
            return decision, history
        return decision, _shed(_with_needed(policy, history, snapshot, snapshot.target), choice)
    history = sizes_seen(policy, oom_seen(policy, verified(policy, history, view), snapshot), snapshot)
    history = recycling(policy, history, view)
    limits = caps(policy, history, view)
    question = Question(policy, history, view, need, MappingProxyType(limits))
    history = _with_needed(policy, history, snapshot, min(need.keep, question.limit))
    if question.keeps_replacement:
        history = replace(history, recycling=None)
    question = replace(question, history=history)
    choice = choose(question)
    named = bottleneck(question, choice)
    pressure = _pressure(history, need, min(limits.values()), named)
    decision = Decision(
        action=choice.action,
        reason=choice.reason,
        target=choice.target,
        demand=need.demand,
        caps=question.limits,
        floor=policy.min_workers,
        bottleneck=named,
        victim=choice.victim,
        cause=choice.cause,
        scale_out_pressure=Missing("demand is missing") if pressure is None else pressure,
        facts=facts(view),
    )
    return decision, replace(_shed(_acted(policy, history, snapshot, choice, need), choice), pressure=pressure)


def _pressure(history: History, need: Need, limit: int, named: Reading[Bottleneck]) -> float | None:
    """demand / cap; as it was, but 1 at most, while the bottleneck is downstream: more hosts would make that worse."""
    if named is Bottleneck.DOWNSTREAM and history.pressure is not None:
        return min(1.0, history.pressure)
    return None if isinstance(need.demand, Missing) else need.demand / max(1, limit)


def _need(policy: Policy, history: History, view: View) -> Need | None:
    """What the load asks for; None when neither busy time nor a backlog can be read."""
    if view.newest.busy is None:
        return kernel_need(policy, history, view) if view.crew.waiting is not None else None
    return pressed_need(policy, history, view) if view.pressed else calm_need(policy, history, view)


def _with_needed(policy: Policy, history: History, snapshot: Snapshot, workers: int) -> History:
    """`history` with `workers` needed now; where no load can be told, the present count is taken for needed."""
    needed = remember(history.needed, snapshot.at, workers, window_seconds(policy, history))
    return replace(history, needed=needed)


def _shed(history: History, choice: Choice) -> History:
    """A worker that leaves because of its size says nothing about the natural one."""
    return shed(history, choice.victim) if choice.cause in _FOR_ITS_SIZE and choice.victim is not None else history


def _without_need(policy: Policy, history: History, snapshot: Snapshot, choice: Choice) -> Decision:
    """No load can be told: hold within the bounds."""
    limits = {
        CapName.MEMORY: memory_cap(policy, snapshot, history.peaks),
        CapName.PIDS: pids_cap(snapshot),
        CapName.FILES: files_cap(snapshot),
        CapName.CONFIG_MAX: policy.max_workers,
    }
    return Decision(
        action=choice.action,
        reason=choice.reason,
        target=choice.target,
        demand=Missing("no load can be told from this snapshot"),
        caps=MappingProxyType({name: max(0, limit) for name, limit in limits.items() if limit is not None}),
        floor=policy.min_workers,
        victim=choice.victim,
        cause=choice.cause,
    )


def _waiting(history: History, at: float, choice: Choice) -> History:
    """`history` with the wait of a shrink for workers that hold connections begun, carried on or over."""
    if choice.reason is Reason.HELD:
        return history if history.held_from is not None else replace(history, held_from=at)
    over = history.held_from is not None and choice.reason is not Reason.COOLING and choice.action is not Action.SHRINK
    return replace(history, held_from=None) if over else history


def _acted(policy: Policy, history: History, snapshot: Snapshot, choice: Choice, need: Need) -> History:
    history = _waiting(history, snapshot.at, choice)
    if choice.action is Action.SHRINK and choice.reason in _SLOW_SHRINKS:
        return shrunk(history, snapshot.at, snapshot.target)
    if choice.action is Action.GROW and choice.reason is not Reason.RECYCLE and history.recycling is not None:
        # Its replacement, if it had one, stays as one more.
        history = replace(history, recycling=None)
    if choice.action is Action.GROW and choice.reason not in _NOT_FOR_THE_LOAD:
        missed = choice.reason in (Reason.BACKLOG, Reason.ALL_BUSY)
        after = regretted(history, snapshot.at, snapshot.target) if missed else history
        if after.regrets > history.regrets:
            after = _with_needed(policy, after, snapshot, choice.target)
        return replace(after, stepped_at=snapshot.at) if need.stepped else after
    return history
