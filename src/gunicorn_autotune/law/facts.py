"""What a decision says about itself: the figures behind it, and what limits throughput now."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gunicorn_autotune.law.answer import Choice
from gunicorn_autotune.law.choice import Question
from gunicorn_autotune.law.view import View
from gunicorn_autotune.model.decisions import Action, Bottleneck, CapName, Reason
from gunicorn_autotune.model.readings import Missing, Reading
from gunicorn_autotune.model.snapshot import Snapshot

_FULL_SHARE = 0.9


def facts(view: View) -> Mapping[str, float]:
    """The figures behind the reason, units in their names; what was not measured is not in it."""
    crew, newest = view.crew, view.newest
    found = {
        "backlog": crew.waiting,
        "arrivals_per_second": view.arrivals_per_second if newest.busy is not None else None,
        "busy_share": newest.busy / crew.slots if newest.busy is not None and crew.slots else None,
        "load_slots": view.fast.load if newest.busy is not None else None,
        "service_seconds": view.service.seconds if view.service else None,
        "queue_p95_seconds": view.queue_p95_seconds,
        "cpu_cores_used": view.fast.cpu,
        "booting_workers": float(crew.booting),
        "quota_full_share": view.fast.quota_full or None,
    }
    return MappingProxyType({name: round(figure, 4) for name, figure in found.items() if figure is not None})


def bottleneck(ask: Question, choice: Choice) -> Reading[Bottleneck]:
    """What limits throughput now: a host's cap that binds, a listener about to refuse, or the worker count.

    Missing where nothing of it is seen and the requests are not either.
    """
    if choice.reason in (Reason.MEMORY, Reason.OOM_KILL) or ask.over_memory:
        return Bottleneck.MEMORY
    pressed = ask.view.pressed is not None
    ceiling = ask.history.ceiling
    if ceiling is not None and (pressed or ask.need.want > ceiling.workers):
        return ceiling.verdict
    capped = ask.need.want > ask.limit or (pressed and ask.count >= ask.limit)
    if (capped and ask.binding is CapName.CPU) or (pressed and ask.cores_full):
        return Bottleneck.CPU
    if capped and ask.binding is CapName.MEMORY:
        return Bottleneck.MEMORY
    if listener_full(ask.view.snapshot):
        return Bottleneck.LISTENER
    if capped or pressed or choice.action is Action.GROW:
        return Bottleneck.WORKERS
    # Nothing presses. Where the requests are not seen, that is no proof that nothing limits them.
    return ask.need.demand if isinstance(ask.need.demand, Missing) else Bottleneck.NONE


def listener_full(snapshot: Snapshot) -> bool:
    """A listener's backlog is at 90 % of its limit or above: connections are about to be refused."""
    return any(
        not isinstance(one.backlog, Missing)
        and not isinstance(one.backlog_limit, Missing)
        and 0 < _FULL_SHARE * one.backlog_limit <= one.backlog
        for one in snapshot.listeners
    )
