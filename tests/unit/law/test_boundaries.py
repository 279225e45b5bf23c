"""Where one rule of the law ends and the next begins, asked of the part that holds it."""

from dataclasses import replace

import pytest
from tests.unit.law.test_recycle import FAT, leaking

from gunicorn_autotune.law import choice, decide, start
from gunicorn_autotune.law.caps import boots_allowed
from gunicorn_autotune.law.cores import cores_full
from gunicorn_autotune.law.demand import Need, load_of, pressed_need
from gunicorn_autotune.law.facts import facts
from gunicorn_autotune.law.look import look
from gunicorn_autotune.law.memory import memory_budget, runs_out
from gunicorn_autotune.law.service import Service
from gunicorn_autotune.law.spans import between, mark_of
from gunicorn_autotune.model.decisions import Action, CapName, Cause, Reason
from gunicorn_autotune.model.history import Recycling
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.testing import MIB, a_host, a_policy, a_snapshot, a_worker

WIDE = a_policy(max_workers=64)
CRAMPED = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=940 * MIB)
"""No place for a replacement."""


@pytest.mark.parametrize("ready", [1, 2])
def test_one_drains_first_only_where_another_serves(ready):
    """Of exactly two, one may; the last one never, whatever it has grown to."""
    workers = [a_worker(slot, spawned_at=-100.0, uss_bytes=(120, 30)[slot] * MIB, served=1) for slot in range(ready)]
    snapshot = leaking(1.0, 0, extra=workers, target=ready, host=CRAMPED)
    history = replace(start(replace(snapshot, at=0.75)), fresh_bytes=30 * MIB)
    decision, _ = decide(a_policy(min_workers=1, max_workers=64), history, snapshot)

    assert (ready == 2) == (decision.reason is Reason.DRAIN_FIRST)


def span(**fields):
    """A second with 4 busy slots, 3 of them useful, one arrival and nothing drained."""
    there = a_snapshot(0.0), a_snapshot(1.0)
    older, newer = (mark_of(one, 0.0, 2) for one in there)
    return replace(between(older, newer), **{"busy": 4.0, "useful": 3.0, "arrived": 1.0, "drained": 0.0} | fields)


@pytest.mark.parametrize(
    ("pressed", "running", "drained", "service_seconds", "load"),
    [
        (False, False, 0.0, 9.0, 4.0),
        (False, False, 5.0, 9.0, 4.0),
        (True, True, 0.0, 9.0, 9.0),
        (True, True, 0.0, 2.0, 3.0),
        (True, True, 5.0, 9.0, 3.0),
        (False, True, 0.5, 2.0, 2.0),
        (False, True, 5.0, 9.0, 3.0),
        (False, True, 0.0, 2.0, 4.0),
        (False, True, 0.0, 9.0, 4.0),
    ],
)
def test_the_load_is_what_is_busy_unless_pressure_hides_or_a_drain_swells_it(
    pressed, running, drained, service_seconds, load
):
    """Under pressure the higher of busy and offered, while a queue drains the lower, else all that is busy."""
    assert load == load_of(span(drained=drained), pressed, running, Service(service_seconds))


def test_a_longer_interval_is_a_mean():
    """Ten arrivals in two seconds are five a second."""
    assert 5.0 == load_of(span(seconds=2.0, arrived=10.0), True, True, Service(1.0))


@pytest.mark.parametrize("fields", [{"busy": None, "useful": None}, {"busy": None}])
def test_unread_busy_time_is_no_load(fields):
    """A class that reports none is answered elsewhere."""
    assert 0.0 == load_of(span(**fields), False, False, Service(1.0))


def pressed_view(**fields):
    """Ten slots of 0.1 s full, a queue that stands, 200 requests a second now and on the mean."""
    older = a_snapshot(0.0, workers=10, in_flight=10, backlog=40)
    newer = a_snapshot(0.25, workers=10, in_flight=10, backlog=40, busy_seconds=2.5, started=25, finished=25,
                       service_seconds=2.5, service_seconds_squared=0.25)  # fmt: skip
    view, history = look(WIDE, start(older), newer)
    rates = {"arrivals_per_second": 200.0, "arrivals_mean_per_second": 200.0, "service": Service(0.1)}
    return replace(view, **rates | fields), history


def test_what_arrives_beyond_the_mean_is_no_reason_to_keep_workers():
    """The latest second is what to answer to, the mean what to remember; below the mean nothing is added."""
    kept = [
        pressed_need(WIDE, history, view).keep
        for view, history in (
            pressed_view(),
            pressed_view(arrivals_per_second=400.0),
            pressed_view(arrivals_mean_per_second=400.0),
            pressed_view(arrivals_per_second=400.0, arrivals_mean_per_second=400.0),
        )
    ]

    assert kept[0] == kept[1] < kept[2] == kept[3]


def test_a_burst_out_of_nothing_is_answered_and_not_remembered():
    """Nothing came on the mean: what is kept is what no load needs."""
    view, history = pressed_view(arrivals_per_second=400.0, arrivals_mean_per_second=0.0)
    idle, _ = pressed_view(arrivals_per_second=0.0, arrivals_mean_per_second=0.0)
    idle = replace(idle, fast=replace(idle.fast, load=0.0), crew=replace(idle.crew, waiting=0.0))

    assert pressed_need(WIDE, history, idle).keep == pressed_need(WIDE, history, view).keep


def marks(**fields):
    """Two marks 2 s apart; `fields` of the later one, zero or None in the first."""
    blank = mark_of(a_snapshot(0.0), 0.0, 2)
    return replace(blank, **{name: None for name, value in fields.items() if value is None}), replace(
        blank, at=2.0, **fields
    )


@pytest.mark.parametrize(
    ("fields", "useful"),
    [
        ({"busy_seconds": 8.0, "cpu_seconds": 2.0, "run_delay_seconds": 2.0}, 3.0),
        ({"busy_seconds": 8.0, "cpu_seconds": None, "run_delay_seconds": 2.0}, 3.0),
        ({"busy_seconds": 8.0, "cpu_seconds": 2.0, "run_delay_seconds": None}, 4.0),
        ({"busy_seconds": 8.0, "cpu_seconds": None, "run_delay_seconds": 8.0}, 0.0),
        ({"busy_seconds": None, "cpu_seconds": 2.0, "run_delay_seconds": 2.0}, None),
    ],
)
def test_useful_slots_are_the_busy_ones_that_did_not_wait_for_a_core(fields, useful):
    """What cannot be read counts as nothing; without busy time nothing can be told."""
    assert useful == between(*marks(**fields)).useful


def test_a_counter_that_went_down_counts_as_unchanged():
    """A slot's counters may be lost; a rate below zero never was."""
    older, newer = marks(started=5, finished=5)
    found = between(replace(older, started=9, finished=9), newer)

    assert (0.0, 0.0, 0.0) == (found.arrived, found.started, found.finished)


@pytest.mark.parametrize(
    ("slots", "busy_seconds", "share"), [(2, 0.25, 0.5), (0, 0.25, None), (2, Missing("unreported"), None)]
)
def test_a_share_of_slots_is_told_only_where_both_are_known(slots, busy_seconds, share):
    """Without a ready worker, or a class that reports, the figure is left out and not made up."""
    older = a_snapshot(0.0, workers=2, ready=slots, backlog=1, busy_seconds=busy_seconds and 0.0)
    if isinstance(busy_seconds, Missing):
        older = a_snapshot(0.0, workers=2, backlog=1, busy_seconds=busy_seconds)
    newer = replace(older, at=0.25, totals=replace(older.totals, busy_seconds=busy_seconds))
    view, _ = look(WIDE, start(older), newer)

    assert share == facts(view).get("busy_share")


def test_a_reserve_is_kept_of_the_whole_limit():
    """10 % of 1000 MiB: 890 used of them leave 10."""
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=890 * MIB)

    assert pytest.approx(10 * MIB) == memory_budget(a_policy(memory_reserve_share=0.1), host)


def question(count, want, *, needed=(), pressed=None, recycle=True):
    """`count` workers asked for, `want` wanted, and a recycle that began with six."""
    older = a_snapshot(99.75, workers=count)
    view, history = look(WIDE, start(older), replace(older, at=100.0))
    under_way = Recycling((FAT,), 6, since=0.0, cause=Cause.AGE) if recycle else None
    history = replace(history, recycling=under_way, needed=tuple(needed), calm_from=-900.0)
    view = replace(view, pressed=pressed)
    return choice.Question(WIDE, history, view, Need(want, want, float(want)), {CapName.CONFIG_MAX: 64})


@pytest.mark.parametrize(
    ("count", "want", "kept"), [(6, 9, False), (7, 9, True), (7, 7, True), (7, 6, False), (8, 7, True)]
)
def test_a_replacement_is_kept_where_it_is_there_and_the_load_wants_it(count, want, kept):
    """At the count the recycle began with there is none yet, whatever the load wants."""
    assert kept == question(count, want).keeps_replacement


def test_nobody_is_sent_away_under_pressure():
    """Three have been enough for long; yet requests wait."""
    calm, pressed = (
        question(9, 3, needed=[(-900.0, 3)], pressed=pressed, recycle=False) for pressed in (None, Reason.BACKLOG)
    )

    assert (Action.SHRINK, None) == (choice._shrink(calm).action, choice._shrink(pressed))


@pytest.mark.parametrize(("budget_bytes", "runs"), [(2_870_000, True), (2_890_000, False)])
def test_a_leak_runs_out_of_memory_within_four_recycles(budget_bytes, runs):
    """36 MB in 100 s is 0.36 MB a second; a recycle takes 2 s and no boot: 2.88 MB."""
    worker = a_worker(spawned_at=100.0, boot_seconds=0.0, uss_bytes=60_000_000, pss_bytes=60_000_000)
    host = a_host(memory_limit_bytes=10**9, memory_used_bytes=900_000_000 - budget_bytes)
    snapshot = a_snapshot(200.0, workers=[worker], host=host)

    assert runs == (runs_out(a_policy(memory_reserve_share=0.1), snapshot, 24_000_000, 0.0) is worker)


def test_where_cores_cannot_be_read_boots_are_those_of_one():
    """Four boots of a quarter of its time, or a single long one."""
    for boot_cpu_seconds, allowed in ((0.25, 4), (10.0, 1)):
        workers = [a_worker(slot, boot_seconds=0.1) for slot in range(2)]
        host = a_host(Missing("hidden"))
        older = a_snapshot(0.0, workers=workers, host=host, boots=2, boot_cpu_seconds=2 * boot_cpu_seconds)
        view, _ = look(WIDE, start(older), replace(older, at=0.25))

        assert allowed == boots_allowed(WIDE, view)


@pytest.mark.parametrize(("cores", "used", "full"), [(4.0, 3.59, False), (4.0, 3.61, True), (0.5, 0.46, True)])
def test_cores_are_full_from_nine_tenths_of_them(cores, used, full):
    """However many there are."""
    older = a_snapshot(0.0, host=a_host(cores))
    view, _ = look(WIDE, start(older), replace(older, at=0.25))

    assert full == cores_full(WIDE, replace(view, fast=replace(view.fast, cpu=used)))
