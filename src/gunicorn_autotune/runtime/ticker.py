"""One tick: sense, decide, act, tell. Runs inside the arbiter's own loop; the only place that reads the clock for it.

First do no harm: a tick that raises is logged once and counted, the next one runs; after FAULTS_BEFORE_FALLBACK in a
row the mode is `fallback`: the worker count is left alone until the next reload.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace
from typing import Any

from gunicorn_autotune.law import law
from gunicorn_autotune.law.due import refused_limits
from gunicorn_autotune.model.decisions import Action, Decision
from gunicorn_autotune.model.policy import for_host
from gunicorn_autotune.model.snapshot import Snapshot
from gunicorn_autotune.model.status import Door, Mode, Stage, shorter, status_document
from gunicorn_autotune.runtime import actuator, commands, drains, flight, sensing, slots, unread
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Autotune

FAULTS_BEFORE_FALLBACK = 10
PUBLISH_SECONDS = 0.45
"""A calm server renews its status document about twice a second; a change is told at once."""


def tick(server: Any, tune: Autotune) -> None:
    """Called once every turn of the arbiter's loop; does its work when `tick_seconds` have passed."""
    started = time.monotonic()
    if started - tune.ticked_at < tune.policy.tick_seconds * 0.8:
        return
    tune.ticked_at = started
    stage = Stage.READ
    try:
        _before(server, tune, started)
        if not sensing.nothing_happened(server, tune, started):
            tune.looked_at = started
            snapshot = tune.snapshot = sensing.look(server, tune)
            unread.tell(server, tune, snapshot)
            stage = Stage.DECIDE
            before = tune.history
            decision = _decide(server, tune, snapshot)
            flight.record(server, tune, before, snapshot, decision)
            stage = Stage.APPLY
            _carry_out(server, tune, snapshot, decision, started)
            tune.faults_in_row = 0
    except Exception:
        _fault(server, tune, stage)
    tune.tally.ticks += 1
    tune.tally.tick_seconds += time.monotonic() - started


def _carry_out(server: Any, tune: Autotune, snapshot: Snapshot, decision: Decision, now: float) -> None:
    if tune.mode is not Mode.FALLBACK:
        actuator.act(server, tune, decision)
    if decision.action is not Action.HOLD or now - tune.published_at >= PUBLISH_SECONDS:
        tune.published_at = now
        _publish(server, tune, replace(snapshot, target=server.num_workers))


def _before(server: Any, tune: Autotune, now: float) -> None:
    """What the loop owes the world beside deciding. Each stands alone: one that fails must not cost a decision."""
    through = tune.doors.through
    through(Door.TICK, tend_exporter, tune, now)
    through(Door.TICK, commands.tend, server, tune, now)
    through(Door.TICK, slots.settle_strays, server, tune)
    through(Door.TICK, drains.end_overdue, server, tune, now)
    tune.frozen = frozen_why(server, tune)
    if tune.held_until is not None and now >= tune.held_until:
        tune.held_until = None


def tend_exporter(tune: Autotune, now: float) -> None:
    """Start one when due, and know where it answers."""
    if tune.exporter is None:
        return
    if tune.exporter.tend(now):
        tune.tally.exporter_spawns += 1
    if tune.identity.metrics != tune.exporter.url:
        tune.identity = replace(tune.identity, metrics=tune.exporter.url)


def frozen_why(server: Any, tune: Autotune) -> str | None:
    """Why the count must not be touched: two masters share the load during an upgrade, WINCH asked for none.

    0 of our own is the moment between a worker that serves alone and its replacement.
    """
    if server.reexec_pid or server.master_pid:
        return "upgrade"
    return "winch" if server.num_workers == 0 and tune.operators_count else None


def _tell_refused(server: Any, tune: Autotune) -> None:
    """A limit that every fresh worker would soon be over is not obeyed: said once, with the figures."""
    for setting, limit, fresh, least in refused_limits(tune.policy, tune.history):
        if setting not in tune.refused:
            tune.refused[setting] = line(
                f"{setting} = {limit} refused", fresh_worker_bytes=fresh, must_be_at_least=least
            )
            server.log.error(tune.refused[setting])


def _decide(server: Any, tune: Autotune, snapshot: Snapshot) -> Decision:
    if tune.history is None:
        tune.history = law.start(snapshot)
    policy = for_host(tune.policy, snapshot.host, sized=tune.history.sized)
    decision, tune.history = law.decide(policy, tune.history, snapshot)
    tune.decision = decision
    _tell_refused(server, tune)
    tune.tally.decisions[f"{decision.action.value}/{decision.reason.value}"] += 1
    return decision


def _publish(server: Any, tune: Autotune, snapshot: Snapshot) -> None:
    if tune.decision is None:
        return
    document = status_document(
        tune.identity,
        tune.policy,
        commands.mode_now(tune),
        snapshot,
        tune.decision,
        tune.tally,
        tune.recent,
        time.time(),
        tune.gunicorn,
    ) | {"refused_settings": list(tune.refused.values()), "unread": dict(tune.unread)}
    for form in shorter(document):
        if tune.board.publish(json.dumps(form, separators=(",", ":")).encode()):
            _tell_left_out(server, tune, form.get("left_out", {}))
            return
    _tell_left_out(server, tune, {"all": 1})


def _tell_left_out(server: Any, tune: Autotune, left_out: dict[str, int]) -> None:
    if left_out and "document" not in tune.faults_logged:
        tune.faults_logged.add("document")
        server.log.warning(line("the status document has no room for all there is, left out", **left_out))


def publish_frozen(server: Any, tune: Autotune, why: str) -> None:
    """Tell readers at once that the count is frozen; a stop or reload holds up the loop for a while."""
    tune.frozen = why
    try:
        _publish(server, tune, sensing.look(server, tune))
    except Exception:
        _fault(server, tune, Stage.READ)


def _fault(server: Any, tune: Autotune, stage: Stage) -> None:
    tune.tally.errors[stage] += 1
    tune.faults_in_row += 1
    key = f"tick {stage.value}"
    if key not in tune.faults_logged:
        tune.faults_logged.add(key)
        server.log.exception(line("tick failed (logged once), Gunicorn serves on", stage=stage.value))
    if tune.faults_in_row == FAULTS_BEFORE_FALLBACK and tune.mode is not Mode.FALLBACK:
        tune.mode = Mode.FALLBACK
        _end_recycle(server, tune)
        server.log.error(line("fallback: the worker count is left alone", workers=server.num_workers))
        _publish_fallback(server, tune)


def _end_recycle(server: Any, tune: Autotune) -> None:
    """The count that is left alone is the one without a replacement, or with the worker that left first."""
    under_way = tune.history.recycling if tune.history is not None else None
    if under_way is not None and tune.frozen is None:
        tune.history = replace(tune.history, recycling=None)
        actuator.set_target(server, tune, under_way.workers)


def _publish_fallback(server: Any, tune: Autotune) -> None:
    """Best effort: what failed may be the sensing itself."""
    status = tune.board.status()
    if status is None:
        return
    # Workers share the mapping: what stands there may be anything.
    with contextlib.suppress(ValueError, TypeError):
        document = json.loads(status) | {"mode": Mode.FALLBACK.value, "target": server.num_workers}
        tune.board.publish(json.dumps(document, separators=(",", ":")).encode())
