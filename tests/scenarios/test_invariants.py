"""Whatever the world: in closed loop the law keeps its bounds, and never acts on what it cannot read."""

import math
from itertools import pairwise

from hypothesis import given, settings

from gunicorn_autotune.model.decisions import Action, Reason
from gunicorn_autotune.model.readings import Missing
from tests.scenarios.worlds import CALM_SECONDS, blinded, history_of, worlds

FEW = settings(max_examples=20, deadline=None)
DOWN = (Action.SHRINK, Action.ROLLBACK)
PRESSED = (Reason.BACKLOG, Reason.ALL_BUSY)
DESPITE_PRESSURE = (Reason.DRAIN_FIRST, Reason.OOM_KILL, Reason.MEMORY, Reason.ABOVE_MAX, Reason.RECYCLE)
"""Shrinks that do not wait for calm: an OOM kill and an operator's order are worse than a queue."""


def changes(ticks):
    """The ticks that changed something."""
    return [tick for tick in ticks if tick.decision.action is not Action.HOLD]


def reasons(ticks):
    """Every reason given."""
    return {tick.decision.reason for tick in ticks}


@FEW
@given(worlds)
def test_every_change_ends_within_the_bounds(world):
    """Between min and max, in the direction it says; a hold is the count there is. One off while one is replaced."""
    low, high = world.policy.min_workers, world.policy.max_workers
    for tick in history_of(world):
        action, before, after = tick.decision.action, tick.snapshot.target, tick.decision.target
        if action is Action.HOLD:
            assert after == before
        else:
            off = 1 if tick.decision.cause else 0
            assert low - off <= after <= high + off
            assert (after > before) == (action is Action.GROW)


@FEW
@given(worlds)
def test_growth_stays_below_every_cap(world):
    """Only the operator's minimum wins over a cap; a replacement may use part of the reserve for a while."""
    for tick in changes(history_of(world)):
        if tick.decision.action is Action.GROW and tick.decision.reason is not Reason.RECYCLE:
            limit = min(tick.decision.caps.values())

            assert tick.decision.target <= max(world.policy.min_workers, limit)


@FEW
@given(worlds)
def test_no_shrink_under_pressure(world):
    """Nobody leaves while requests wait or waited just now, but for memory, the maximum, or a step that did not pay."""
    ticks = history_of(world)
    pressed_at = -math.inf
    for before, tick in pairwise(ticks):
        if before.decision.action is Action.GROW and before.decision.reason in PRESSED:
            pressed_at = before.snapshot.at
        if tick.decision.action is Action.SHRINK and tick.decision.reason not in DESPITE_PRESSURE:
            assert tick.snapshot.at - pressed_at >= CALM_SECONDS
            assert not (waiting(before.snapshot) and waiting(tick.snapshot))


def waiting(snapshot):
    """Requests that the law could see waiting."""
    backlog = snapshot.listeners[0].backlog
    return (0 if isinstance(backlog, Missing) else backlog) + sum(worker.queued for worker in snapshot.workers)


@FEW
@given(worlds)
def test_the_same_world_gets_the_same_answers(world):
    """No clock and no chance of its own."""
    assert [tick.decision for tick in history_of(world)] == [tick.decision for tick in history_of(world)]


@FEW
@given(worlds)
def test_no_figure_is_nan_or_infinite(world):
    """What the log line and the metrics show are numbers."""
    for tick in history_of(world):
        demand = [] if isinstance(tick.decision.demand, Missing) else [tick.decision.demand]

        assert all(math.isfinite(one) for one in [*tick.decision.facts.values(), *demand])


@FEW
@given(worlds)
def test_a_load_that_cannot_be_read_moves_nothing(world):
    """Neither busy time nor a backlog: whatever comes, only the operator's bounds and the memory are kept."""
    ticks = history_of(blinded(world, "busy", "backlog", "memory", "memory_limit"))
    asked = {Reason.BELOW_MIN, Reason.ABOVE_MAX}
    seen = any(worker.queued for tick in ticks for worker in tick.snapshot.workers)

    assert seen or reasons(changes(ticks)) <= asked


@FEW
@given(worlds)
def test_unread_memory_is_never_a_reason(world):
    """Limit and use hidden, and nobody killed: no cap, no shrink, no recycling for memory."""
    ticks = history_of(blinded(world, "memory", "memory_limit"))
    unhurt = [tick for tick in ticks if not tick.snapshot.host.oom_kills]

    assert not reasons(unhurt) & {Reason.MEMORY, Reason.AT_MEMORY_CAP, Reason.RECYCLE}


@FEW
@given(worlds)
def test_unread_cores_are_never_a_reason(world):
    """How many cores there are, or how much of them is used, is hidden: the CPU caps nothing."""
    for sensor in ("cores", "cpu"):
        ticks = history_of(blinded(world, sensor))

        assert not reasons(ticks) & {Reason.CPU, Reason.AT_CPU_CAP}


@FEW
@given(worlds)
def test_unread_queue_times_are_never_a_reason(world):
    """No proxy writes them: the rule for micro-bursts stays silent."""
    assert Reason.QUEUE_TIME not in reasons(history_of(blinded(world, "queue_time")))
