"""One tick: what is decided is done, told and remembered; what fails is counted, and then the count is left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.runtime.arbiters import Arbiter, Clock, running

from gunicorn_autotune.law import law
from gunicorn_autotune.model.decisions import Action, Decision, Reason
from gunicorn_autotune.model.history import Recycling
from gunicorn_autotune.model.status import WORKER_DOORS, Door, Mode, Stage, status_document
from gunicorn_autotune.runtime import actuator, sensing, ticker
from gunicorn_autotune.scoreboard import layout
from gunicorn_autotune.testing import a_snapshot

TICK_SECONDS = 0.25
GROW = Decision(Action.GROW, Reason.BACKLOG, 4, floor=2)
HOLD = Decision(Action.HOLD, Reason.STEADY, 2, floor=2)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Arbiter, Clock]]:
    """Two workers that have been up for 100 s."""
    with running(monkeypatch) as there:
        yield there


def ticks(site: tuple[Arbiter, Clock], count: int = 1, seconds: float = TICK_SECONDS) -> dict[str, Any]:
    """Turns of the loop that long apart; the document that readers see afterwards."""
    arbiter, clock = site
    for _ in range(count):
        clock.now += seconds
        ticker.tick(arbiter, arbiter.autotune)
    return shown(arbiter)


def shown(arbiter: Arbiter) -> dict[str, Any]:
    """The status document; empty before the first."""
    return json.loads(arbiter.autotune.board.status() or b"{}")


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[Decision]:
    """What the law says from now on, the first one first; the last one stays."""
    said: list[Decision] = []

    def decide(policy: Any, history: Any, snapshot: Any) -> Any:
        return (said.pop(0) if len(said) > 1 else said[0]), history

    monkeypatch.setattr(ticker, "law", SimpleNamespace(decide=decide, start=law.start))
    return said


def test_a_decision_to_grow_is_carried_out_told_and_kept(site, decided):
    """The arbiter is asked for four; readers see it at once, with the decision among the recent ones."""
    arbiter, _ = site
    decided.append(GROW)
    document = ticks(site)

    assert (4, 4, "grow") == (arbiter.num_workers, document["target"], document["recent_decisions"][-1]["action"])
    assert {"grow/backlog": 1} == dict(arbiter.autotune.tally.decisions)


def test_the_law_itself_is_asked(site):
    """With a real queue in front of two busy workers the count grows."""
    arbiter, _ = site
    for tracked in arbiter.autotune.tracked.values():
        tracked.row[layout.CELLS] = round(990e9)
        tracked.row[layout.QUEUED] = 30
    ticks(site, 8)

    assert arbiter.num_workers > 2
    assert arbiter.autotune.history.marks[-1].at == arbiter.autotune.snapshot.at


def test_a_count_that_the_law_set_is_no_operators_any_more(site, decided):
    """Who leaves is the law's choice again; while it is set, no hook takes the change for an operator's."""
    arbiter, _ = site
    decided.append(GROW)
    arbiter.autotune.operators_count = True
    ticks(site)

    assert (False, False) == (arbiter.autotune.operators_count, arbiter.autotune.acting)


def test_a_turn_that_comes_too_soon_is_no_tick(site, decided):
    """The loop may turn for every signal; four fifths of a tick are enough."""
    arbiter, _ = site
    decided.append(HOLD)
    ticks(site)
    ticks(site, seconds=0.19)
    before = arbiter.autotune.tally.ticks
    ticks(site, seconds=0.02)

    assert (1, 2) == (before, arbiter.autotune.tally.ticks)


def test_an_idle_server_is_not_decided_on_at_every_tick(site):
    """Once a second in full, four times a second for a change."""
    arbiter, _ = site
    ticks(site, 3)
    before = arbiter.autotune.tally.decisions.total()
    ticks(site, 8)

    assert (11, 2) == (arbiter.autotune.tally.ticks, arbiter.autotune.tally.decisions.total() - before)


@pytest.mark.parametrize(("seconds", "renewed"), [(0.25, False), (0.5, True)])
def test_a_calm_server_renews_its_document_twice_a_second(site, decided, seconds, renewed):
    """A change is told at once; a hold may wait."""
    decided.append(replace(HOLD, reason=Reason.COOLING))
    site[0].autotune.tracked[1].row[layout.CELLS] = round(990e9)
    before = ticks(site, seconds=1.0)["time"]

    assert renewed == (ticks(site, seconds=seconds)["time"] > before)


def test_the_document_tells_of_the_count_after_the_decision(site, decided):
    """Not of the one that the law looked at."""
    decided.extend([GROW, HOLD])

    assert 4 == ticks(site)["target"]


def test_a_document_that_does_not_fit_loses_the_decisions_of_the_past_only(site, decided, monkeypatch):
    """The rest is what a reader needs now."""
    arbiter, _ = site
    decided.extend([GROW, replace(HOLD, target=4)])
    ticks(site)
    publish, sizes = arbiter.autotune.board.publish, []

    def only_small(document: bytes) -> bool:
        sizes.append(len(document))
        return len(sizes) > 1 and publish(document)

    monkeypatch.setattr(type(arbiter.autotune.board), "publish", lambda _, document: only_small(document))
    document = ticks(site, seconds=1.0)

    assert (2, [], 4) == (len(sizes), document["recent_decisions"], document["target"])
    assert sizes[1] < sizes[0]


def test_a_document_that_fits_keeps_the_decisions_of_the_past(site, decided):
    """However often it is renewed."""
    decided.extend([GROW, replace(HOLD, target=4)])
    ticks(site)

    assert ["grow"] == [one["action"] for one in ticks(site, 5, seconds=1.0)["recent_decisions"]]


@pytest.mark.parametrize(
    ("fields", "operators", "why"),
    [
        ({"reexec_pid": 7}, False, "upgrade"),
        ({"master_pid": 7}, False, "upgrade"),
        ({"num_workers": 0}, True, "winch"),
        ({"num_workers": 0}, False, None),
        ({}, False, None),
    ],
)
def test_the_count_is_frozen_while_others_rule_it(site, fields, operators, why):
    """Two masters share the load during an upgrade; WINCH asked for none. None of our own are none for a moment."""
    arbiter, _ = site
    vars(arbiter).update(fields)
    arbiter.autotune.operators_count = operators

    assert why == ticker.frozen_why(arbiter, arbiter.autotune)
    ticks(site)
    assert why == arbiter.autotune.frozen


def test_an_operators_hold_ends_by_itself(site, decided):
    """At its time, not before."""
    arbiter, clock = site
    decided.append(HOLD)
    arbiter.autotune.held_until = clock.now + 2 * TICK_SECONDS
    ticks(site)
    before = arbiter.autotune.held_until
    ticks(site)

    assert (clock.now, None) == (before, arbiter.autotune.held_until)


def test_the_exporter_is_tended_and_its_address_told(site, decided):
    """A start is counted; where it listens stands in the document."""
    arbiter, _ = site
    decided.append(HOLD)
    tended: list[float] = []
    arbiter.autotune.exporter = SimpleNamespace(  # type: ignore[assignment]
        tend=lambda now: tended.append(now) or len(tended) == 1, url="http://127.0.0.1:9999"
    )
    document = ticks(site, 2, seconds=1.0)

    assert (2, 1) == (len(tended), arbiter.autotune.tally.exporter_spawns)
    assert "http://127.0.0.1:9999" == document["server"]["metrics"]


@pytest.mark.parametrize(("count", "said"), [(0, 1), (2, 0)])
def test_what_a_worker_has_told_already_is_not_told_again(site, count, said):
    """The next worker inherits the guard: what fails there at the same door is counted, not logged."""
    arbiter, _ = site
    arbiter.autotune.tracked[2].row[layout.DOOR_ERRORS] = count
    ticks(site)
    arbiter.autotune.doors.failed(WORKER_DOORS[0])

    assert said == len(arbiter.log.lines)


@pytest.mark.parametrize("part", ["commands.tend", "slots.settle_strays", "drains.end_overdue"])
def test_what_fails_beside_a_decision_costs_no_decision(site, decided, monkeypatch, part):
    """Counted at its door; the count grows all the same."""
    arbiter, _ = site
    decided.append(GROW)

    def broken(*_: Any) -> None:
        raise RuntimeError("on purpose")

    module, name = part.split(".")
    monkeypatch.setattr(getattr(ticker, module), name, broken)
    ticks(site)

    assert (4, 1) == (arbiter.num_workers, arbiter.autotune.tally.door_errors[Door.TICK])


def failing(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    """That part of every tick raises."""

    def broken(*_: Any) -> None:
        raise RuntimeError("on purpose")

    if stage is Stage.READ:
        monkeypatch.setattr(sensing, "look", broken)
    elif stage is Stage.DECIDE:
        monkeypatch.setattr(ticker, "law", SimpleNamespace(decide=broken, start=law.start))
    else:
        monkeypatch.setattr(actuator, "act", broken)


@pytest.mark.parametrize("stage", [Stage.READ, Stage.DECIDE, Stage.APPLY])
def test_a_tick_that_fails_is_counted_by_stage_and_logged_once(site, decided, monkeypatch, stage):
    """And the next one runs; nine in a row leave the mode alone."""
    arbiter, _ = site
    decided.append(HOLD)
    failing(monkeypatch, stage)
    ticks(site, 9, seconds=1.0)

    assert ({stage: 9}, 9, Mode.ACTIVE) == (
        +arbiter.autotune.tally.errors, arbiter.autotune.tally.ticks, arbiter.autotune.mode,
    )  # fmt: skip
    failed = [text.split()[-1] for text in arbiter.log.lines if "tick failed" in text]
    assert [f"stage={stage.value}"] == failed


@pytest.mark.parametrize("stage", [Stage.READ, Stage.DECIDE, Stage.APPLY])
def test_after_ten_failures_in_a_row_the_count_is_left_alone(site, decided, monkeypatch, stage):
    """Said once in the log and in the document that stands; what the law wants afterwards is not done."""
    arbiter, _ = site
    decided.append(HOLD)
    ticks(site, seconds=1.0)
    with monkeypatch.context() as patch:
        failing(patch, stage)
        document = ticks(site, 12, seconds=1.0)
    assert (Mode.FALLBACK, "fallback", 2) == (arbiter.autotune.mode, document["mode"], document["target"])
    assert 1 == sum("the worker count is left alone" in text for text in arbiter.log.lines)
    patched = [GROW]
    monkeypatch.setattr(ticker, "law", SimpleNamespace(decide=lambda *a: (patched[0], a[1]), start=law.start))
    ticks(site, 3, seconds=1.0)

    assert 2 == arbiter.num_workers


def test_a_tick_that_works_begins_the_count_of_failures_anew(site, decided, monkeypatch):
    """Nine, a good one, nine."""
    arbiter, _ = site
    decided.append(HOLD)
    for _ in range(2):
        with monkeypatch.context() as patch:
            failing(patch, Stage.READ)
            ticks(site, 9, seconds=1.0)
        ticks(site, seconds=1.0)

    assert (Mode.ACTIVE, 0) == (arbiter.autotune.mode, arbiter.autotune.faults_in_row)


@pytest.mark.parametrize(
    ("asked", "frozen", "left"), [(3, {}, 2), (1, {}, 2), (3, {"reexec_pid": 7}, 3)], ids=["surge", "drained", "frozen"]
)
def test_in_fallback_a_recycle_under_way_ends_with_the_count_it_began_with(site, monkeypatch, asked, frozen, left):
    """A replacement too many, or the one that left first, would stay so until the next reload."""
    arbiter, _ = site
    ticks(site)
    arbiter.num_workers = asked
    vars(arbiter).update(frozen)
    history = law.start(a_snapshot(arbiter.autotune.snapshot.at))
    arbiter.autotune.history = replace(history, recycling=Recycling((1,), 2, since=0.0))
    failing(monkeypatch, Stage.DECIDE)
    document = ticks(site, 10, seconds=1.0)

    assert (left, left) == (arbiter.num_workers, document["target"])
    assert (left == 3) == (arbiter.autotune.history.recycling is not None)


def test_fallback_before_the_first_document_publishes_none(site, monkeypatch):
    """What nobody has ever seen cannot be told."""
    failing(monkeypatch, Stage.READ)

    assert {} == ticks(site, 12)


@pytest.mark.parametrize(("room", "left_out"), [(6000, True), (10, None)])
def test_a_document_that_does_not_fit_is_shortened_and_said_once(site, monkeypatch, room, left_out):
    """Never dropped without a word: readers would take the server for dead and not know why."""
    arbiter, _ = site
    board = arbiter.autotune.board
    publish = board.publish
    monkeypatch.setattr(type(board), "publish", lambda _, status: len(status) <= room and publish(status))
    listener = {"address": "x" * 400, "backlog": 0}
    monkeypatch.setattr(
        ticker, "status_document", lambda *given: status_document(*given) | {"listeners": [listener] * 900}
    )
    document = ticks(site, 3, seconds=1.0)
    said = [text for text in arbiter.log.lines if "no room for all there is" in text]

    assert (("left_out" in document) or None, len(said)) == (left_out, 1)


def test_a_frozen_count_is_told_at_once(site, decided):
    """A stop holds up the loop for a while; its readers know why."""
    arbiter, _ = site
    decided.append(HOLD)
    ticks(site)
    ticker.publish_frozen(arbiter, arbiter.autotune, "shutdown")

    assert ("shutdown", "paused") == (arbiter.autotune.frozen, shown(arbiter)["mode"])


def test_a_look_that_fails_does_not_hold_up_a_stop(site, monkeypatch):
    """Counted like any other."""
    arbiter, _ = site
    failing(monkeypatch, Stage.READ)
    ticker.publish_frozen(arbiter, arbiter.autotune, "shutdown")

    assert 1 == arbiter.autotune.tally.errors[Stage.READ]


def test_a_limit_that_fresh_workers_would_be_over_is_refused_once(site, decided, monkeypatch):
    """In the log, and in the document for as long as it stands."""
    decided.append(HOLD)
    monkeypatch.setattr(ticker, "refused_limits", lambda *_: [("recycle_uss_bytes", 10, 20, 25)])
    document = ticks(site, 3, seconds=1.0)
    said = "autotune: recycle_uss_bytes = 10 refused fresh_worker_bytes=20 must_be_at_least=25"

    assert ([said], [said]) == (site[0].log.lines, document["refused_settings"])


def test_a_workers_end_that_nobody_told_frees_its_row(site, decided):
    """A fork that failed: Gunicorn has forgotten the worker."""
    arbiter, _ = site
    decided.append(HOLD)
    arbiter.WORKERS.popitem()
    ticks(site)

    assert ([1], [1]) == (list(arbiter.autotune.tracked), arbiter.autotune.free_slots)


def test_an_observed_server_is_only_told_what_would_be_done(site, decided):
    """Said once, not at every tick."""
    arbiter, _ = site
    decided.append(GROW)
    arbiter.autotune.mode = Mode.OBSERVE
    ticks(site, 3, seconds=1.0)

    assert (2, 1) == (arbiter.num_workers, len(arbiter.log.lines))
    assert arbiter.log.lines[0].startswith("autotune: would resize workers=2->4")
