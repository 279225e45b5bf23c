"""Recycling in closed loop, whatever the application: never a dip, never too many, never too often."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from gunicorn_autotune.model.decisions import Action, Reason
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.testing import MIB, Application, Machine, SimulatedHost, a_policy, autotuned, steps

FEW = settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
SECONDS = 150
applications = st.builds(
    Application,
    wait_seconds=st.sampled_from([0.05, 0.5]),
    boot_cpu_seconds=st.sampled_from([0.05, 1.0, 9.0]),
    leak_bytes=st.sampled_from([0, MIB // 8]),
)
machines = st.builds(Machine, max_requests=st.sampled_from([0, 100]), threads=st.sampled_from([1, 4]))
limits = st.fixed_dictionaries(
    {
        "recycle_age_seconds": st.sampled_from([0, 90]),
        "recycle_uss_bytes": st.sampled_from([0, 60 * MIB, 41 * MIB]),
        "recycle_max_unavailable": st.sampled_from([1, 3]),
        "recycle_surge": st.sampled_from(["on", "off"]),
        "recycle_gap_seconds": st.sampled_from([0.0, 5.0]),
        "recycles_per_hour": st.sampled_from([5, 360]),
        "recycle_lifetime_seconds": st.sampled_from([10.0, 60.0]),
    }
)
counts = st.integers(2, 6)
rates = st.sampled_from([2.0, 20.0])


def played(application, machine, workers, rate, seed, **policy):
    """(snapshot, decision) of every tick."""
    law, ticks = autotuned(a_policy(**policy)), []

    def controller(snapshot):
        ticks.append((snapshot, law(snapshot)))
        return ticks[-1][1]

    SimulatedHost(application, steps((SECONDS, rate)), machine, workers=workers, seed=seed).run(controller)
    return ticks


def ready(snapshot):
    """Workers that can take a request and have not been told to leave."""
    return sum(worker.state in (WorkerState.IDLE, WorkerState.BUSY) for worker in snapshot.workers)


def told_to_leave(ticks):
    """(at, age) of every worker the law sent away to be replaced."""
    return [(seen.at, said.victim) for seen, said in ticks if said.victim is not None and said.cause is not None]


@FEW
@given(applications, machines, counts, rates, st.integers(1, 99), limits)
def test_with_a_surge_there_is_never_a_worker_too_few(application, machine, workers, rate, seed, given_limits):
    """The count fixed: as many are ready at every tick, whatever the cause and however many at once."""
    policy = {**given_limits, "recycle_surge": "on", "min_workers": workers, "max_workers": workers}
    # Without max_requests: 100 of them are over sooner than any pace allows, and then workers leave by themselves.
    ticks = played(application, replace(machine, max_requests=0), workers, rate, seed, **policy)

    assert workers <= min(ready(seen) for seen, _ in ticks)


@FEW
@given(applications, machines, counts, rates, st.integers(1, 99), limits)
def test_the_target_stays_within_its_bounds(application, machine, workers, rate, seed, given_limits):
    """min less the one that drains first, and max with the replacements; none of them without a surge."""
    more = 0 if given_limits["recycle_surge"] == "off" else given_limits["recycle_max_unavailable"]
    ticks = played(application, machine, workers, rate, seed, min_workers=2, max_workers=6, **given_limits)

    assert all(1 <= said.target <= 6 + more for _, said in ticks)


@FEW
@given(applications, machines, counts, rates, st.integers(1, 99), limits)
def test_no_more_are_on_their_way_than_allowed(application, machine, workers, rate, seed, given_limits):
    """Of a fixed count, never more surplus workers than recycle_max_unavailable."""
    policy = {**given_limits, "min_workers": workers, "max_workers": workers}
    ticks = played(application, machine, workers, rate, seed, **policy)

    assert max(seen.target for seen, _ in ticks) <= workers + given_limits["recycle_max_unavailable"]


SOON = Application(wait_seconds=0.05, boot_cpu_seconds=0.05)
"""Its workers are old at 90 s; there is room for the replacements."""
AT_ONCE = {"recycle_age_seconds": 90, "recycle_uss_bytes": 0, "recycle_max_unavailable": 1, "recycle_surge": "on",
           "recycle_gap_seconds": 5.0, "recycles_per_hour": 360, "recycle_lifetime_seconds": 10.0}  # fmt: skip


def test_there_are_recycles_between_which_a_gap_can_lie():
    """What the two promises below are about: in one plain world everyone is replaced, exactly at the pace allowed."""
    ticks = played(SOON, Machine(), 4, 2.0, 1, max_workers=8, **AT_ONCE)
    left = told_to_leave(ticks)
    gaps = [later[0] - one[0] for one, later in pairwise(left)]
    lives = [seen.at - worker.ready_at for seen, said in ticks for worker in seen.workers
             if worker.age == said.victim and said.cause is not None]  # fmt: skip

    assert (4, True, True) == (len(lives), 5.0 <= min(gaps) < 6.0, 10.0 <= min(lives))


@FEW
@example(SOON, Machine(), 4, 2.0, 1, AT_ONCE)
@given(applications, machines, counts, rates, st.integers(1, 99), limits)
def test_a_gap_lies_between_two_recycles(application, machine, workers, rate, seed, given_limits):
    """One at a time here: from one that is told to leave to the next."""
    policy = {**given_limits, "recycle_max_unavailable": 1}
    left = told_to_leave(played(application, machine, workers, rate, seed, max_workers=8, **policy))

    assert all(later[0] - one[0] >= policy["recycle_gap_seconds"] for one, later in pairwise(left))


@FEW
@given(applications, machines, counts, rates, st.integers(1, 99), limits)
def test_no_hour_has_more_recycles_than_allowed(application, machine, workers, rate, seed, given_limits):
    """The run is shorter than an hour."""
    left = told_to_leave(played(application, machine, workers, rate, seed, max_workers=8, **given_limits))

    assert len(left) <= given_limits["recycles_per_hour"]


@FEW
@example(SOON, Machine(), 4, 2.0, 1, AT_ONCE | {"recycle_age_seconds": 20, "recycle_lifetime_seconds": 60.0})
@given(applications, machines, counts, rates, st.integers(1, 99), limits)
def test_nobody_leaves_before_its_least_lifetime(application, machine, workers, rate, seed, given_limits):
    """There is memory enough in these worlds."""
    ticks = played(application, machine, workers, rate, seed, max_workers=8, **given_limits)
    for seen, said in ticks:
        victim = next((worker for worker in seen.workers if worker.age == said.victim), None)
        if victim is not None and said.cause is not None:
            assert seen.at - victim.ready_at >= given_limits["recycle_lifetime_seconds"]


@FEW
@given(applications, machines, counts, rates, st.integers(1, 99), limits)
def test_a_recycle_does_not_change_the_count(application, machine, workers, rate, seed, given_limits):
    """Every replacement that was begun is followed by one that leaves, and the other way round: no creeping."""
    ticks = played(application, machine, workers, rate, seed, min_workers=workers, max_workers=workers, **given_limits)

    assert abs(ticks[-1][0].target - workers) <= given_limits["recycle_max_unavailable"]
    assert {said.reason for _, said in ticks if said.action is not Action.HOLD} <= {Reason.RECYCLE, Reason.DRAIN_FIRST}
