"""Workers that hold long-lived connections leave last, and are waited for; memory that is short waits for nobody."""

from dataclasses import replace

import pytest

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.model.decisions import Action, Cause, Reason
from gunicorn_autotune.testing import MIB, a_host, a_policy, a_snapshot, a_worker

POLICY = a_policy(min_workers=1, max_workers=8, calm_seconds=1, scale_down_window_seconds=1, recycle_hold_seconds=600)


def calm(at, held, *, policy=POLICY, **fields):
    """Workers that have served nothing for long; as many sockets as `held` says for each."""
    workers = [a_worker(slot, held=count, held_seconds=60.0 * count, served=9) for slot, count in enumerate(held)]
    return a_snapshot(at, workers=workers, started=90, finished=90, service_seconds=4.5, **fields)


def decided(held, seconds, *, policy=POLICY, history=None, begin=0.0):
    """The decisions of that many seconds, four a second, nobody ever leaving; and the last history."""
    history = history or start(calm(begin, held))
    decisions = []
    for quarter in range(1, 4 * seconds + 1):
        decision, history = decide(policy, history, calm(begin + quarter / 4.0, held))
        decisions.append(decision)
    return decisions, history


def shrinks(decisions):
    """Targets of the shrinks."""
    return [one.target for one in decisions if one.action is Action.SHRINK]


def test_a_shrink_that_needs_a_holding_worker_is_put_off():
    """The reason says why."""
    decisions, _ = decided([1, 1, 1, 1], 60)

    assert (shrinks(decisions), decisions[-1].reason) == ([], Reason.HELD)


def test_the_others_leave():
    """Four are to go one by one, two of them hold nothing: those may."""
    decisions, _ = decided([3, 0, 3, 0], 5)

    assert shrinks(decisions)[0] == 3


def test_no_more_leave_than_hold_nothing():
    """A quarter of seven is two; only one of the eight is free."""
    decisions, _ = decided([1, 1, 1, 1, 0, 1, 1, 1], 5)

    assert shrinks(decisions)[0] == 7


def test_the_wait_is_bounded():
    """After recycle_hold_seconds the shrink goes on."""
    policy = replace(POLICY, recycle_hold_seconds=20.0)
    early, history = decided([1, 1, 1, 1], 20, policy=policy)
    late, _ = decided([1, 1, 1, 1], 5, policy=policy, history=history, begin=20.0)

    assert (shrinks(early), shrinks(late)[:1]) == ([], [3])


def test_without_a_wait_a_shrink_is_as_ever():
    """recycle_hold_seconds = 0."""
    decisions, _ = decided([1, 1, 1, 1], 5, policy=replace(POLICY, recycle_hold_seconds=0.0))

    assert shrinks(decisions)[0] == 3


def test_the_wait_begins_anew_once_a_shrink_is_not_wanted():
    """Requests came meanwhile: those 15 s do not count."""
    policy = replace(POLICY, recycle_hold_seconds=20.0)
    _, history = decided([1, 1, 1, 1], 15, policy=policy)
    pressed = calm(15.25, [1, 1, 1, 1], backlog=50)
    _, history = decide(policy, history, pressed)

    assert history.held_from is None


def test_sockets_are_no_load():
    """Two thousand of them ask for no worker."""
    decisions, _ = decided([1000, 1000], 5)

    assert {one.action for one in decisions} == {Action.HOLD}


def test_memory_in_the_reserve_does_not_wait():
    """One worker fewer, although all hold."""
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=950 * MIB)
    history = start(calm(0.0, [1, 1, 1, 1], host=host))
    decision, _ = decide(POLICY, history, calm(1.0, [1, 1, 1, 1], host=host))

    assert (decision.action, decision.reason, decision.target) == (Action.SHRINK, Reason.MEMORY, 3)


def test_a_silent_client_takes_the_slot_of_a_sync_worker():
    """Where no backlog can be read, all taken is pressure."""
    from gunicorn_autotune.law.crew import crew_of

    workers = [a_worker(0, in_flight=1), a_worker(1, silent=1)]

    assert (crew_of(a_snapshot(workers=workers)).full, crew_of(a_snapshot(workers=workers[1:])).full) == (True, True)


AT = 10_000.0
AGED = a_policy(max_workers=2, recycle_age_seconds=1000, recycle_surge="off", recycle_hold_seconds=600)


def recycled(held_seconds, policy=AGED, **fields):
    """The age of the worker whose recycle begins: the older of two, which has held a socket for that long."""
    old = a_worker(0, spawned_at=AT - 2000.0, held=int(held_seconds > 0), held_seconds=held_seconds, served=9, **fields)
    workers = [old, a_worker(1, spawned_at=AT - 500.0, served=9)]
    history = start(a_snapshot(AT - 0.25, workers=workers))
    _, history = decide(policy, history, a_snapshot(AT, workers=workers))
    return history.recycling and history.recycling.ages


@pytest.mark.parametrize(("held_seconds", "ages"), [(0.0, (1,)), (599.0, None), (600.0, (1,))])
def test_without_room_for_its_replacement_a_holding_worker_is_let_be(held_seconds, ages):
    """It would have to be gone before the new one boots; so it has its time before it is told."""
    assert recycled(held_seconds) == ages


def test_with_room_its_replacement_may_come_at_once():
    """It stays beside it for as long as it holds."""
    assert recycled(1.0, replace(AGED, recycle_surge="on")) == (1,)


def test_among_those_due_who_holds_comes_last():
    """Though it is idle as far as requests go, and the largest."""
    workers = [
        a_worker(0, spawned_at=AT - 2000.0, held=1, uss_bytes=90 * MIB, served=9),
        a_worker(1, spawned_at=AT - 2000.0, in_flight=1, served=9),
        a_worker(2, spawned_at=AT - 500.0, served=9),
    ]
    history = start(a_snapshot(AT - 0.25, workers=workers))
    _, history = decide(replace(AGED, max_workers=8), history, a_snapshot(AT, workers=workers))

    assert history.recycling is not None
    assert (history.recycling.ages, history.recycling.cause) == ((2,), Cause.AGE)
