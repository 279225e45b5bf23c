"""THE LAW: one pure function from what is known to what is done. No clock, file, socket, log or chance.

    offered load -> Erlang-C -> caps of the host -> up at once, down slowly

The parts: crew, spans, view (what is known), service, demand, staffing (what is needed), caps (what is allowed),
pressure, shrink, choice (what is done). Formulas and constants are explained where they stand.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from gunicorn_autotune.law.caps import caps, memory_cap, pids_cap
from gunicorn_autotune.law.choice import Choice, Question, choose, choose_without_need
from gunicorn_autotune.law.demand import Need, calm_need, kernel_need, pressed_need
from gunicorn_autotune.law.facts import bottleneck, facts
from gunicorn_autotune.law.look import look, start
from gunicorn_autotune.law.shrink import remember
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import Action, CapName, Decision, Reason
from gunicorn_autotune.model.history import History
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.model.snapshot import Snapshot

__all__ = ["decide", "start"]

_SLOW_SHRINKS = (Reason.LOAD_FELL, Reason.CPU, Reason.MEMORY)


def decide(policy: Policy, history: History, snapshot: Snapshot) -> tuple[Decision, History]:
    """What the worker count should be now, why, and what to remember; `policy.max_workers` must be above 0.

    May be called at any interval; the more often, the sooner a step in load is seen for what it is.
    """
    before = history
    view, history = look(policy, before, snapshot)
    need = _need(policy, history, view) if view else None
    if view is None or need is None:
        decision = _without_need(policy, snapshot)
        return decision, history if history is before else _with_needed(policy, history, snapshot, snapshot.target)
    limits = caps(policy, view)
    question = Question(policy, history, view, need, MappingProxyType(limits))
    history = _with_needed(policy, history, snapshot, min(need.keep, question.limit))
    question = replace(question, history=history)
    choice = choose(question)
    decision = Decision(
        action=choice.action,
        reason=choice.reason,
        target=choice.target,
        demand=need.demand,
        caps=question.limits,
        floor=policy.min_workers,
        bottleneck=bottleneck(question, choice),
        facts=facts(view),
    )
    return decision, _acted(history, snapshot.at, choice, need)


def _need(policy: Policy, history: History, view: View) -> Need | None:
    """What the load asks for; None when neither busy time nor a backlog can be read."""
    if view.newest.busy is None:
        return kernel_need(policy, history, view) if view.crew.waiting is not None else None
    return pressed_need(policy, history, view) if view.pressed else calm_need(policy, history, view)


def _with_needed(policy: Policy, history: History, snapshot: Snapshot, workers: int) -> History:
    """`history` with `workers` needed now; where no load can be told, the present count is taken for needed."""
    needed = remember(history.needed, snapshot.at, workers, policy.scale_down_window_seconds)
    return replace(history, needed=needed)


def _without_need(policy: Policy, snapshot: Snapshot) -> Decision:
    """No load can be told: hold within the bounds."""
    choice = choose_without_need(policy, snapshot)
    limits = {
        CapName.MEMORY: memory_cap(policy, snapshot),
        CapName.PIDS: pids_cap(snapshot),
        CapName.CONFIG_MAX: policy.max_workers,
    }
    return Decision(
        action=choice.action,
        reason=choice.reason,
        target=choice.target,
        demand=Missing("no load can be told from this snapshot"),
        caps=MappingProxyType({name: max(0, limit) for name, limit in limits.items() if limit is not None}),
        floor=policy.min_workers,
    )


def _acted(history: History, at: float, choice: Choice, need: Need) -> History:
    if choice.action is Action.SHRINK and choice.reason in _SLOW_SHRINKS:
        return replace(history, shrunk_at=at)
    if choice.action is Action.GROW and need.stepped:
        return replace(history, stepped_at=at)
    return history
