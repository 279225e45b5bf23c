"""The hands: from a decision to Gunicorn's own worker count, and from a surplus to the workers that leave.

Growing is what SIGTTIN does, shrinking what SIGTTOU does: `num_workers` is set and Gunicorn's `manage_workers` acts
on it in the same turn of its loop. The only thing of ours is *who* leaves: Gunicorn terminates the workers with the
lowest age, so the victims are given ages below all others.
"""

from __future__ import annotations

import time
from typing import Any

from gunicorn_autotune.model.decisions import Action, Cause, Decision, Reason
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.status import ExitReason, Mode, decision_record
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune, Tracked
from gunicorn_autotune.scoreboard import board, layout

MAX_BOOT_BACKOFF_SECONDS = 600.0


def set_target(server: Any, tune: Autotune, target: int) -> None:
    """Ask the arbiter for `target` workers, as TTIN and TTOU do; the loop's next step acts on it."""
    before, tune.acting = tune.acting, True
    tune.operators_count = False
    try:
        server.num_workers = target
    finally:
        # Not False: before 25.1 a reap, and so a roll-back, may come in the middle of our own change.
        tune.acting = before


def act(server: Any, tune: Autotune, decision: Decision) -> None:
    """Carry a decision out; in observe mode only say what would have been done."""
    before = server.num_workers
    if decision.action is Action.HOLD or decision.target == before:
        return
    if tune.mode is Mode.ACTIVE:
        record(server, tune, decision, before)
        _name_victim(tune, decision)
        tune.hold_seconds = hold_seconds(tune.policy, decision)
        set_target(server, tune, decision.target)
    elif tune.said != (decision.action, decision.reason, decision.target):
        tune.said = (decision.action, decision.reason, decision.target)
        record(server, tune, decision, before)


NOT_WAITED_FOR = (Reason.MEMORY, Reason.OOM_KILL, Reason.DRAIN_FIRST)
"""Memory that is short, and a replacement that boots only when the old worker is gone."""


def hold_seconds(policy: Policy, decision: Decision) -> float:
    """How long those who leave by this decision may be held by their connections. A reload is as long as Gunicorn's."""
    if decision.reason in NOT_WAITED_FOR or decision.cause in (Cause.MEMORY, Cause.RELOAD):
        return 0.0
    return policy.recycle_hold_seconds


EXITS = {Cause.RELOAD: ExitReason.RELOAD} | {
    cause: ExitReason(f"recycle_{cause.value}") for cause in Cause if cause is not Cause.RELOAD
}


def _name_victim(tune: Autotune, decision: Decision) -> None:
    """The law names the worker to recycle; mark_victims takes it before all others."""
    tracked = tune.tracked.get(decision.victim) if decision.victim is not None else None
    if tracked is not None and decision.cause is not None:
        tracked.exit_reason = EXITS[decision.cause]


def record(server: Any, tune: Autotune, decision: Decision, before: int) -> None:
    """Remember a change for the status document, and log it: one line."""
    tune.recent.append(decision_record(decision, before, time.time()))
    del tune.recent[:-50]
    event = "resize" if tune.mode is Mode.ACTIVE else "would resize"
    facts: dict[str, Any] = dict(decision.facts)
    if decision.cause is not None:
        facts = {"cause": decision.cause.value} | facts
    server.log.info(
        line(event, workers=f"{before}->{decision.target}", action=decision.action.value,
             reason=decision.reason.value, **facts)
    )  # fmt: skip


def choose_victims(tracked: list[Tracked], count: int) -> list[Tracked]:
    """Who leaves when `count` must: idle before busy, then the fattest (its own memory, else RSS), then the oldest.

    Who holds long-lived connections comes last.

    Before all these the one the law recycles, and then one that still boots: it serves nobody and its import is not
    paid for yet; or one without a row, since a server of such workers only would be blind.
    """

    now_ns = time.monotonic_ns()

    def rank(one: Tracked) -> tuple[int, int, int, int]:
        words = one.row.tolist() if one.row is not None else None
        if one.exit_reason is not None:
            return (-2, 0, 0, one.age)
        fat = getattr(one.memory, "uss_bytes", 0)
        if words is None or not words[layout.READY_NS]:
            return (-1, 0, -fat, one.age)
        return (board.held(words, board.activity(words, now_ns), now_ns), running(one), -fat, one.age)

    return sorted(tracked, key=rank)[:count]


def choose_for_operator(tracked: list[Tracked], count: int, old_set_age: int) -> list[Tracked]:
    """Who leaves when an operator lowers the count: the oldest, as Gunicorn promises, but idle before busy.

    Those of the old set come before those that came with or after the operator's TTIN, busy or not: who refreshes all
    workers by TTIN and TTOU must end with a whole new set. Before all these the one that is being recycled anyway, and
    one without a row.
    """

    def rank(one: Tracked) -> tuple[bool, bool, bool, int]:
        leaves_anyway = one.exit_reason is not None or one.row is None
        return (not leaves_anyway, one.age > old_set_age, running(one) > 0, one.age)

    return sorted(tracked, key=rank)[:count]


def running(one: Tracked) -> int:
    """What is under way in it, and its threads that wait for a slow client's request."""
    return under_way(one) + (one.row[layout.READING] if one.row is not None else 0)


def under_way(one: Tracked) -> int:
    """Requests and WebSockets it has taken, and not answered or ended, as far as its row tells; a silent client too."""
    if one.row is None:
        return 0
    words = one.row.tolist()
    now = board.activity(words, 0)
    return now.in_flight + (board.queued(words) or 0) + words[layout.WEBSOCKETS] + (board.silent_ns(words, now, 0) > 0)


def mark_victims(server: Any, tune: Autotune) -> None:
    """Before Gunicorn shrinks: let it find the victims we choose at the low end of the ages."""
    serving = [tracked for tracked in followed(server, tune) if not tracked.draining]
    surplus = len(serving) - server.num_workers
    if surplus <= 0:
        return
    if tune.operators_count:
        victims = choose_for_operator(serving, surplus, tune.old_set_age)
    else:
        victims = choose_victims(serving, surplus)
    for tracked in victims:
        put_first_in_line(server, tracked)


def note_operators_count(server: Any, tune: Autotune, raised: bool) -> None:
    """An operator has changed the count. Raised: the workers there are now are the old set, until the last has left."""
    tune.operators_count = True
    if raised and not any(one.age <= tune.old_set_age and not one.draining for one in followed(server, tune)):
        tune.old_set_age = server.worker_age


def put_first_in_line(server: Any, tracked: Tracked) -> None:
    """Give a worker an age below all others."""
    lowest = min((worker.age for worker in list(server.WORKERS.values())), default=0)
    tracked.worker.age = min(lowest, 0) - 1


def followed(server: Any, tune: Autotune) -> list[Tracked]:
    """The tracked workers that Gunicorn still has."""
    alive = {id(worker) for worker in list(server.WORKERS.values())}
    return [tracked for tracked in list(tune.tracked.values()) if id(tracked.worker) in alive]


def ready_count(server: Any, tune: Autotune) -> int:
    """Workers that serve now and are not leaving."""
    return sum(
        1
        for tracked in followed(server, tune)
        if not tracked.draining and tracked.row is not None and tracked.row[layout.READY_NS]
    )


def roll_back_boot(server: Any, tune: Autotune, why: str) -> None:
    """An added worker could not start: go back to the workers that do serve, and wait before trying again."""
    now = time.monotonic()
    if tune.boot_backoff_until is None or now >= tune.boot_backoff_until:
        # Workers that were forked together fail together: one failure, not eight in a row.
        tune.boot_failures_in_row += 1
    backoff = tune.policy.boot_backoff_seconds * 2 ** min(tune.boot_failures_in_row - 1, 20)
    backoff = min(backoff, max(MAX_BOOT_BACKOFF_SECONDS, tune.policy.boot_backoff_seconds))
    tune.boot_backoff_until = now + backoff
    before = server.num_workers
    target = max(1, min(before, ready_count(server, tune)))
    decision = Decision(
        Action.ROLLBACK, Reason.BOOT_FAILED, target, facts={"backoff_seconds": backoff},
        floor=tune.policy.min_workers,
    )  # fmt: skip
    tune.tally.decisions[f"{decision.action.value}/{decision.reason.value}"] += 1
    server.log.error(line("worker could not start", why=why, failures_in_row=tune.boot_failures_in_row))
    record(server, tune, decision, before)
    set_target(server, tune, target)
