"""Recycling for memory: replacement first, one at a time, never for ever."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.law.plant import Plant, scaling

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.model.decisions import Action, Reason
from gunicorn_autotune.model.history import Recycling
from gunicorn_autotune.model.readings import Missing, PressureReading
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.testing import (
    MIB,
    Application,
    Machine,
    SimulatedHost,
    a_host,
    a_policy,
    a_snapshot,
    a_worker,
    autotuned,
    steps,
)

POLICY = a_policy(max_workers=64)
FAT = 3
"""Age of the fattest worker in `leaking`."""


def leaking(at=1.0, count=6, *, extra=(), **fields):
    """Workers of 30 to 120 MiB grown in 100 s, 10 MiB of the budget left."""
    sizes = [30, 70, 120, 60, 50, 40, 40, 40][:count]
    workers = [
        a_worker(slot, spawned_at=at - 100.0, boot_seconds=0.0, uss_bytes=mib * MIB, pss_bytes=mib * MIB, served=1)
        for slot, mib in enumerate(sizes)
    ]
    host = fields.pop("host", a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=890 * MIB))
    return a_snapshot(at, workers=[*workers, *extra], host=host, target=fields.pop("target", count), **fields)


def asked(snapshot, under_way=None, policy=POLICY):
    """The decision on `snapshot`, with this recycle under way, and its history."""
    history = replace(start(leaking(snapshot.at - 0.25)), recycling=under_way)
    return decide(policy, history, snapshot)


def test_the_replacement_comes_first():
    """One more worker before the fat one leaves."""
    decision, _ = asked(leaking())

    assert (Action.GROW, Reason.RECYCLE, 7) == (decision.action, decision.reason, decision.target)


def test_the_fattest_is_the_one_that_is_replaced():
    """It gives back the most."""
    assert FAT == asked(leaking())[1].recycling.ages[0]


UNDER_WAY = Recycling((FAT,), 6, since=0.0)
BOOTING = a_worker(6, state=WorkerState.BOOTING, spawned_at=0.5)


def test_the_old_one_stays_until_the_replacement_is_ready():
    """Hold while it boots."""
    decision, _ = asked(leaking(extra=[BOOTING], target=7), UNDER_WAY)

    assert (Action.HOLD, Reason.RECYCLE) == (decision.action, decision.reason)


def test_the_old_one_leaves_when_the_replacement_is_ready():
    """And it is named, so that no other leaves."""
    decision, _ = asked(leaking(extra=[a_worker(6)], target=7), UNDER_WAY)

    assert (Action.SHRINK, Reason.RECYCLE, 6, FAT) == (
        decision.action, decision.reason, decision.target, decision.victim,
    )  # fmt: skip


@pytest.mark.parametrize(("at", "action"), [(60.0, Action.HOLD), (60.25, Action.SHRINK)])
def test_a_replacement_is_given_up_after_a_minute(at, action):
    """It still boots: no victim is named, so it is the one that leaves."""
    decision, _ = asked(leaking(at, extra=[BOOTING], target=7), UNDER_WAY)

    assert (action, None) == (decision.action, decision.victim)


def test_a_recycle_that_was_given_up_is_over():
    """The next look does not start the same again."""
    _, history = asked(leaking(61.0), UNDER_WAY)

    assert history.recycling is None


@pytest.mark.parametrize(
    "order",
    [{"frozen": "reload"}, {"boot_backoff_until": 100.0}, {"target": 8, "held_until": 300.5}, {"target": 5}],
)
def test_a_recycle_ends_where_it_may_not_go_on(order):
    """Frozen, backing off, or the count changed by somebody else."""
    assert asked(leaking(**order), UNDER_WAY)[1].recycling is None


def test_a_recycle_ends_when_its_victim_is_gone():
    """It died by itself: nothing is left to replace."""
    assert asked(leaking(), Recycling((99,), 6, since=0.0))[1].recycling is None


@pytest.mark.parametrize("policy", [{"max_workers": 6}, {"min_workers": 6, "max_workers": 6}])
def test_a_replacement_may_stand_above_the_maximum_for_a_moment(policy):
    """A full or fixed count is recycled without a dip all the same."""
    assert 7 == asked(leaking(), policy=a_policy(**policy))[0].target


@pytest.mark.parametrize(
    ("policy", "pids_used"), [({"max_workers": 6, "recycle_surge": "off"}, 10), ({"max_workers": 64}, 99)]
)
def test_without_a_place_for_the_replacement_the_old_one_drains_first(policy, pids_used):
    """The database may have no connection left, or the fork would fail: said in the reason."""
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=890 * MIB, pids_limit=100, pids_used=pids_used)
    decision, _ = asked(leaking(host=host), policy=a_policy(**policy))

    assert (Action.SHRINK, Reason.DRAIN_FIRST, 5, FAT) == (
        decision.action, decision.reason, decision.target, decision.victim,
    )  # fmt: skip


def test_the_one_that_comes_after_waits_while_boots_fail():
    """The old one is gone already: the count is not given up, it waits for the end of the pause."""
    drained = Recycling((FAT,), 6, since=0.0, surge=False)
    others = [worker for worker in leaking().workers if worker.age != FAT]
    decision, history = asked(replace(leaking(target=5, boot_backoff_until=100.0), workers=tuple(others)), drained)

    assert (Action.HOLD, Reason.BOOT_BACKOFF, drained) == (decision.action, decision.reason, history.recycling)


@pytest.mark.parametrize("hidden", ["memory_limit_bytes", "memory_used_bytes"])
def test_no_recycle_for_memory_that_cannot_be_read(hidden):
    """Missing is no reason."""
    known = {"memory_limit_bytes": 1000 * MIB, "memory_used_bytes": 890 * MIB}

    assert asked(leaking(host=a_host(**{**known, hidden: Missing("hidden")})))[1].recycling is None


def test_without_memory_for_the_replacement_the_old_one_drains_first():
    """More than half the reserve would be gone."""
    host = a_host(memory_limit_bytes=1000 * MIB, memory_used_bytes=940 * MIB)

    assert Reason.DRAIN_FIRST is asked(leaking(host=host))[0].reason


def test_a_recycle_in_progress_stands_above_the_cap_after_an_oom_kill():
    """The replacement is no growth: else it would be started and stopped at every look."""
    history = replace(start(leaking(0.75)), recycling=UNDER_WAY, oom=(600.0, 6))
    decision, _ = decide(POLICY, history, leaking(extra=[BOOTING], target=7))

    assert (Action.HOLD, Reason.RECYCLE) == (decision.action, decision.reason)


def test_growth_for_the_load_goes_before_a_slow_replacement():
    """Twenty seconds of boot are no reason to leave requests waiting."""
    plant = Plant(scaling(), boot_seconds=20.0).serve(20, 30)
    plant.history = replace(plant.history, recycling=Recycling((1,), plant.target, plant.at))
    plant.serve(20, 1)
    before = plant.target
    plant.serve(200, 1)

    assert before < plant.target


leaks = st.builds(
    Application,
    wait_seconds=st.sampled_from([0.05, 0.5]),
    boot_cpu_seconds=st.sampled_from([0.05, 1.0, 90.0]),
    leak_bytes=st.sampled_from([MIB // 4, MIB, 4 * MIB]),
)
machines = st.builds(Machine, memory_limit_bytes=st.sampled_from([600 * MIB, 1000 * MIB]))


@settings(max_examples=15, deadline=None)
@given(leaks, machines, st.integers(3, 10), st.sampled_from([5.0, 20.0]), st.integers(1, 99))
def test_one_recycle_at_a_time(application, machine, workers, rate, seed):
    """After a replacement is asked for, the next change is not another one."""
    law = autotuned(a_policy(max_workers=12))
    SimulatedHost(application, steps((60, rate)), machine, workers=workers, seed=seed).run(law)
    changes = [(one.action, one.reason) for _, one in law.decisions if one.action is not Action.HOLD]
    begins, drains = (Action.GROW, Reason.RECYCLE), (Action.SHRINK, Reason.DRAIN_FIRST)
    of_its_own = [after for before, after in pairwise([None, *changes]) if before != drains]

    assert (begins, begins) not in pairwise(of_its_own)


@settings(max_examples=15, deadline=None)
@given(leaks, machines, st.integers(3, 10), st.sampled_from([5.0, 20.0]), st.integers(1, 99))
def test_a_leak_never_makes_the_count_flap(application, machine, workers, rate, seed):
    """A recycle is two changes and takes a boot: four changes a second would be a fight of two rules."""
    law = autotuned(a_policy(max_workers=12))
    outcome = SimulatedHost(application, steps((60, rate)), machine, workers=workers, seed=seed).run(law)

    assert len(outcome.actions) <= 100


ALONE = a_policy(min_workers=1, max_workers=1, recycle_surge="off")


@pytest.mark.parametrize(
    ("asks", "backlog", "reason"), [(True, 0, Reason.DRAIN_FIRST), (False, 0, None), (True, 9, None)]
)
def test_one_that_serves_alone_leaves_first_only_when_an_operator_asks(asks, backlog, reason):
    """There is no room beside it. A size alone is no reason to serve nobody; and nobody leaves while requests wait."""
    worker = a_worker(0, spawned_at=-100.0, boot_seconds=0.0, uss_bytes=90 * MIB, served=1)
    worker = replace(worker, asked=asks)
    policy = replace(ALONE, recycle_uss_bytes=80 * MIB)
    history = replace(start(a_snapshot(0.75, workers=[worker])), fresh_bytes=30 * MIB)
    decision, _ = decide(policy, history, a_snapshot(1.0, workers=[worker], backlog=backlog))

    assert ((reason or decision.reason), 0 if reason else 1) == (decision.reason, decision.target)


def test_the_next_one_boots_when_it_is_gone():
    """0 workers of our own are no WINCH: they become one again, also when the recycle was given up meanwhile."""
    nobody = a_snapshot(1.0, workers=[], target=0)
    history = start(a_snapshot(0.75, workers=[], target=0))
    carried = decide(ALONE, replace(history, recycling=Recycling((1,), 1, since=0.0, surge=False)), nobody)[0]
    given_up = decide(ALONE, history, nobody)[0]

    assert [(Action.GROW, 1, Reason.RECYCLE), (Action.GROW, 1, Reason.BELOW_MIN)] == [
        (one.action, one.target, one.reason) for one in (carried, given_up)
    ]


@pytest.mark.parametrize(("asks", "begun"), [(False, False), (True, True)])
def test_a_routine_recycle_waits_until_memory_pressure_is_over(asks, begun):
    """It would boot a process beside the others in the stall; who asks is served."""
    pressure = PressureReading(some_seconds=9.0, full_seconds=5.0, some_avg10_share=1.0, full_avg10_share=0.5)
    old = [replace(a_worker(slot, spawned_at=-1000.0), asked=asks) for slot in range(4)]
    snapshot = a_snapshot(1.0, workers=old, host=a_host(memory_pressure=pressure))
    history = start(replace(snapshot, at=0.75))
    _, history = decide(a_policy(max_workers=9, recycle_age_seconds=60), history, snapshot)

    assert begun == (history.recycling is not None)
