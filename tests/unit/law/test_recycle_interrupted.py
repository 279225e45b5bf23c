"""What comes in the middle of a recycle: deaths, an operator, load, memory, a gap in time."""

from dataclasses import replace

import pytest
from tests.unit.law.plant import Plant, scaling
from tests.unit.law.test_recycle import BOOTING, FAT, POLICY, UNDER_WAY, asked, leaking

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.model.decisions import Action, Cause, Reason
from gunicorn_autotune.model.history import History, Recycling
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.testing import MIB, a_host, a_policy, a_snapshot, a_worker

THREE = Recycling((1, 2, 3), 6, since=0.0, cause=Cause.AGE)
ROOMY = a_host(memory_limit_bytes=8000 * MIB, memory_used_bytes=890 * MIB)


def told(decision):
    """What was decided, in short."""
    return decision.action, decision.reason, decision.target, decision.victim


def some(*slots, **fields):
    """Idle workers in these slots; their ages are one higher."""
    return [a_worker(slot, **fields) for slot in slots]


def test_of_several_one_leaves_for_each_that_is_ready():
    """Seven ready of nine: the first of three."""
    booting = some(7, 8, state=WorkerState.BOOTING)
    decision, _ = asked(a_snapshot(1.0, workers=[*some(*range(7)), *booting], host=ROOMY), THREE)

    assert (Action.SHRINK, Reason.RECYCLE, 8, 1) == told(decision)


def test_of_several_the_one_that_is_idle_now_leaves_first():
    """The others have a request to finish."""
    workers = [*some(0, 1, in_flight=1), *some(*range(2, 7)), *some(7, 8, state=WorkerState.BOOTING)]
    decision, _ = asked(a_snapshot(1.0, workers=workers, busy_seconds=0.2, host=ROOMY), THREE)

    assert 3 == decision.victim


def test_several_are_counted_one_by_one_in_the_cap_per_hour():
    """Two have left since the last look."""
    workers = [*some(2, 3, 4, 5, 6, 7), *some(8, state=WorkerState.BOOTING)]
    _, history = asked(a_snapshot(1.0, workers=workers, target=7, host=ROOMY), THREE)

    assert (1.0, 1.0) == history.recycled_at


def test_no_more_begin_than_the_hour_has_left():
    """Three at once, ten an hour, nine were."""
    policy = a_policy(max_workers=64, recycle_max_unavailable=3, recycles_per_hour=10, recycle_age_seconds=60)
    snapshot = a_snapshot(1.0, workers=some(*range(6)), busy_seconds=0.0, host=ROOMY)
    history = replace(start(replace(snapshot, at=0.75)), recycled_at=(-100.0,) * 9)

    assert 1 == len(decide(policy, history, snapshot)[1].recycling.ages)


def test_a_victim_that_died_by_itself_has_been_replaced_already():
    """Gunicorn has forked another for it: of nine that are wanted, eight are."""
    workers = [*some(*range(1, 6)), *some(6, 7, 8, 9, state=WorkerState.BOOTING)]
    decision, _ = asked(a_snapshot(1.0, workers=workers, target=9, host=ROOMY), THREE)

    assert (Action.SHRINK, Reason.RECYCLE, 8, None) == told(decision)


def test_when_the_only_victim_died_the_count_goes_back():
    """Else one worker more, perhaps above the maximum, would stay for minutes."""
    workers = [*some(0, 1, 3, 4, 5), *some(6, 7, state=WorkerState.BOOTING)]
    decision, _ = asked(a_snapshot(1.0, workers=workers, target=7, host=ROOMY), UNDER_WAY)

    assert (Action.SHRINK, Reason.RECYCLE, 6, None) == told(decision)


def test_when_the_victim_died_the_recycle_is_over_with_the_count():
    """Counted like any other."""
    _, history = asked(a_snapshot(1.0, workers=some(0, 1, 3, 4, 5, 6), host=ROOMY), UNDER_WAY)

    assert (None, (1.0,)) == (history.recycling, history.recycled_at)


@pytest.mark.parametrize(("target", "surge"), [(8, True), (6, True), (6, False), (4, False)])
def test_a_count_changed_by_an_operator_is_left_alone(target, surge):
    """TTIN and TTOU in the middle: what they saw and changed is what they want."""
    under_way = replace(UNDER_WAY, surge=surge)
    snapshot = leaking(count=6, target=target, held_until=300.5)

    assert (Action.HOLD, Reason.OPERATOR, target, None) == told(asked(snapshot, under_way)[0])


def test_a_recycle_begun_while_an_operator_holds_the_count_goes_on():
    """It ends with the same count."""
    decision, _ = asked(leaking(extra=[BOOTING], target=7, held_until=200.0), UNDER_WAY)

    assert (Action.HOLD, Reason.RECYCLE) == (decision.action, decision.reason)


@pytest.mark.parametrize("field", ["held_until", "boot_backoff_until"])
def test_an_old_hold_or_back_off_is_none(field):
    """It is over."""
    assert FAT == asked(leaking(**{field: 0.5}), replace(UNDER_WAY, since=0.9))[1].recycling.ages[0]


def pressed(under_way, seconds=0.5):
    """A second after a step in load that one worker more cannot meet; the replacement is ready."""
    plant = Plant(scaling()).serve(20, 30)
    plant.resize(plant.target + 1)
    plant.serve(20, 0.0)
    plant.history = replace(plant.history, recycling=replace(under_way, workers=plant.target - 1, since=plant.at))
    plant.serve(20, 0.75)
    return plant.serve(200, seconds)


def test_nobody_leaves_while_the_load_wants_one_more():
    """The replacement stays, and so does the old one."""
    plant = pressed(Recycling((1,), 0, 0.0, Cause.REQUESTS))

    assert not plant.acts(Action.SHRINK)


@pytest.mark.parametrize("at", [30.0, 70.0])
def test_a_replacement_that_the_load_wants_is_not_given_up(at):
    """It boots for a minute; requests wait for it."""
    workers = [*some(*range(6), in_flight=1), a_worker(6, state=WorkerState.BOOTING, spawned_at=0.5)]
    snapshot = a_snapshot(at, workers=workers, backlog=20, busy_seconds=6.0 * at, host=ROOMY)
    before = replace(snapshot, at=at - 0.25, totals=replace(snapshot.totals, busy_seconds=6.0 * at - 1.5))
    history = replace(start(before), recycling=replace(UNDER_WAY, cause=Cause.AGE))

    assert Action.SHRINK is not decide(POLICY, history, snapshot)[0].action


def test_a_replacement_that_the_load_wants_ends_the_recycle():
    """It stays as one more; else no other recycle could begin."""
    workers = some(*range(7), in_flight=1)
    snapshot = a_snapshot(1.0, workers=workers, busy_seconds=1.75, host=ROOMY)

    assert asked(snapshot, replace(UNDER_WAY, cause=Cause.AGE))[1].recycling is None


DRAINING = a_worker(2, state=WorkerState.DRAINING)
DRAINS = Recycling((FAT,), 6, since=0.0, cause=Cause.REQUESTS, surge=False)


def test_drain_first_waits_until_the_old_one_is_gone():
    """Its memory or its connection is needed, however long the queue."""
    workers = [*some(0, 1, 3, 4, 5, in_flight=1), DRAINING]
    decision, _ = asked(a_snapshot(1.0, workers=workers, backlog=50, target=5, busy_seconds=1.25), DRAINS)

    assert (Action.HOLD, Reason.RECYCLE, 5, None) == told(decision)


def test_drain_first_ends_with_the_replacement():
    """The old one is gone."""
    decision, _ = asked(a_snapshot(1.0, workers=some(0, 1, 3, 4, 5), target=5), DRAINS)

    assert (Action.GROW, Reason.RECYCLE, 6, None) == told(decision)


def test_drain_first_waits_for_the_end_of_a_back_off():
    """Another worker could not boot, nor will the replacement."""
    snapshot = a_snapshot(1.0, workers=some(0, 1, 3, 4, 5), target=5, boot_backoff_until=9.0)

    assert (Action.HOLD, Reason.BOOT_BACKOFF, 5, None) == told(asked(snapshot, DRAINS)[0])


def test_a_worker_that_drains_still_takes_its_place():
    """Without a surge five and one that drains are six: the next one drains first as well."""
    policy = a_policy(max_workers=6, recycle_surge="off", recycle_age_seconds=60)
    snapshot = a_snapshot(1.0, workers=[*some(0, 1, 3, 4, 5), DRAINING], target=5, host=ROOMY)

    assert not decide(policy, start(replace(snapshot, at=0.75)), snapshot)[1].recycling.surge


@pytest.mark.parametrize("later", [0.01, 61.0])
@pytest.mark.parametrize(("target", "surge"), [(7, True), (5, False)])
def test_a_look_that_tells_no_rate_moves_nothing(later, target, surge):
    """Too soon after the last, or after a gap: one above the maximum, or below the minimum, is right for now."""
    policy = a_policy(min_workers=6, max_workers=6)
    snapshot = leaking(later, count=target, target=target)
    history = replace(start(leaking(0.0)), recycling=replace(UNDER_WAY, surge=surge))

    assert Action.HOLD is decide(policy, history, snapshot)[0].action


@pytest.mark.parametrize(("target", "surge"), [(7, True), (5, False)])
def test_after_a_gap_the_count_goes_back(target, surge):
    """A suspend in the middle of a recycle."""
    history = replace(start(leaking(0.0)), recycling=replace(UNDER_WAY, surge=surge))
    workers = [*some(0, 1, 3, 4, 5), *([BOOTING, *some(2)] if surge else [])]
    for at in (500.0, 500.25):
        decision, history = decide(POLICY, history, a_snapshot(at, workers=workers, target=target, host=ROOMY))

    assert 6 == decision.target


def test_where_no_load_can_be_told_workers_are_recycled_all_the_same():
    """A worker class that reports nothing, a backlog that cannot be read."""
    fields = {"busy_seconds": Missing("no board"), "backlog": Missing("no netlink"), "host": ROOMY}
    policy = a_policy(max_workers=6, recycle_age_seconds=60)
    snapshot = a_snapshot(1.0, workers=some(*range(6)), **fields)

    decision, _ = decide(policy, start(replace(snapshot, at=0.75)), snapshot)

    assert (Action.GROW, Reason.RECYCLE, 7) == (decision.action, decision.reason, decision.target)


def over_the_reserve(at, recycled_at, *extra):
    """Six workers as fresh as new ones, 950 of 1000 MiB in use."""
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=950 * MIB)
    snapshot = a_snapshot(at, workers=[*some(*range(6)), *extra], target=6, busy_seconds=0.0, host=host)
    history = replace(start(replace(snapshot, at=at - 0.25)), recycled_at=recycled_at, fresh_bytes=24 * MIB)
    return decide(POLICY, history, snapshot)


@pytest.mark.parametrize(("ago", "action"), [(4.75, Action.HOLD), (5.0, Action.SHRINK)])
def test_who_was_recycled_has_time_to_leave_before_another_goes_for_memory(ago, action):
    """Its memory is still in use, and was measured up to a second ago."""
    assert action is over_the_reserve(100.0, (100.0 - ago,), DRAINING)[0].action


def test_memory_that_is_about_to_be_given_back_recycles_nobody():
    """200 MiB of a worker that drains are more than what lacks."""
    leaving = a_worker(6, state=WorkerState.DRAINING, uss_bytes=400 * MIB)
    _, history = asked(leaking(extra=[leaving], target=6))

    assert history.recycling is None


def test_a_reload_goes_on_in_batches_of_half_the_room():
    """Eight old ones, room for six: three."""
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=780 * MIB)
    workers = [replace(one, outdated=True) for one in some(*range(8))]
    snapshot = a_snapshot(1.0, workers=workers, host=host)
    history = replace(start(replace(snapshot, at=0.75)), fresh_bytes=24 * MIB)

    assert (3, Cause.RELOAD) == (
        len(decide(POLICY, history, snapshot)[1].recycling.ages), decide(POLICY, history, snapshot)[1].recycling.cause,
    )  # fmt: skip


def test_a_reload_without_a_known_room_goes_on_one_by_one():
    """The limit cannot be read any more: not all at once into the unknown."""
    workers = [replace(one, outdated=True) for one in some(*range(8))]
    snapshot = a_snapshot(1.0, workers=workers, host=a_host(memory_limit_bytes=Missing("gone")))

    assert 1 == len(decide(POLICY, start(replace(snapshot, at=0.75)), snapshot)[1].recycling.ages)


def test_an_empty_history_recycles_nobody_at_the_first_look():
    """No rate, no pressure known."""
    assert decide(POLICY, History(), leaking())[1].recycling is None
