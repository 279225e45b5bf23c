"""What the model cannot see: a probe, queue times missed in calm, and service times that grew."""

from dataclasses import replace
from itertools import pairwise

import pytest
from tests.unit.law.plant import Plant, pool_of, scaling

from gunicorn_autotune.model.decisions import Action, Bottleneck, Reason
from gunicorn_autotune.model.history import Ceiling
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.testing import a_host, a_policy

GONE = Missing("taken away by the test")
OVER_GOAL, WITHIN_GOAL = 6, 4
"""50 to 100 ms, and 10 to 25 ms; the goal is 50 ms."""
LOW_CEILING = Ceiling(99, 99, 1e9, Bottleneck.DOWNSTREAM, until=1e9, hold_seconds=60.0, set_at=0.0, trimming=False)


def grown(plant, reason):
    """(at, target) of every growth for this reason."""
    return [(at, one.target) for at, one in plant.decisions if (one.action, one.reason) == (Action.GROW, reason)]


def unexplained(seconds=6.0, **fields):
    """Ten workers, two of them busy, and yet five requests always wait: from 20 s on."""
    plant = Plant(scaling(), spawned=[-100.0] * 10, **fields).serve(20, 20)
    plant.sees = {**plant.sees, "backlog": 5}
    return plant.serve(20, seconds)


def test_pressure_that_the_figures_do_not_explain_is_probed():
    """After five seconds a quarter more: 10 -> 12."""
    assert [12] == [target for _, target in grown(unexplained(), Reason.PROBE)]


def test_no_probe_within_five_seconds():
    """The queue may be gone by then."""
    assert [] == grown(unexplained(4.75), Reason.PROBE)


def test_the_next_probe_comes_five_seconds_later():
    """The first one has to be seen to help, or not."""
    times = [at for at, _ in grown(unexplained(20), Reason.PROBE)]

    assert min(later - earlier for earlier, later in pairwise(times)) >= 5.0


def test_a_probe_is_one_worker_at_least():
    """A quarter of three is none."""
    plant = Plant(scaling(0.01), takes_seconds=0.01, spawned=[-100.0] * 3).serve(5, 20)
    plant.sees = {"backlog": 2}
    plant.serve(5, 6)

    assert [4] == [target for _, target in grown(plant, Reason.PROBE)]


def test_no_probe_while_the_queue_shrinks():
    """It is being served."""
    plant = Plant(scaling(), spawned=[-100.0] * 10).serve(20, 20)
    for waiting in range(60, 20, -1):
        plant.sees = {"backlog": waiting}
        plant.serve(20, 0.25)

    assert [] == grown(plant, Reason.PROBE)


def test_no_probe_while_the_cores_are_full():
    """Then it is they that are slow."""
    assert [] == grown(unexplained(20, cores_used=10.0), Reason.PROBE)


def test_no_probe_before_the_latest_workers_have_traffic():
    """They cannot have helped yet: a proxy keeps its connections to the others for a minute."""
    plant = unexplained(0.25, unseen_seconds=60.0)
    plant.resize(11)
    plant.serve(20, 20)

    assert [] == grown(plant, Reason.PROBE)


def test_no_probe_at_a_ceiling():
    """More have been seen not to help."""
    plant = unexplained(4.0)
    plant.history = replace(plant.history, ceiling=LOW_CEILING)
    plant.serve(20, 10)

    assert [] == grown(plant, Reason.PROBE)


def test_no_probe_for_a_backlog_that_cannot_be_read():
    """Missing is no queue."""
    plant = Plant(scaling(), spawned=[-100.0] * 10, sees={"backlog": GONE}).serve(20, 40)

    assert [] == grown(plant, Reason.PROBE)


def late(seconds=12.0, rate=20, **fields):
    """Ten workers, two busy, and every request waits 50 to 100 ms from 20 s on."""
    plant = Plant(scaling(), spawned=[-100.0] * 10, **fields).serve(rate, 20)
    plant.waits_in_bucket = OVER_GOAL if plant.waits_in_bucket is None else plant.waits_in_bucket
    return plant.serve(rate, seconds)


def test_queue_times_over_the_goal_in_calm_grow_the_count():
    """Bursts that are over before the next look: a quarter more."""
    assert 12 == grown(late(), Reason.QUEUE_TIME)[0][1]


def test_queue_times_grow_the_count_every_ten_seconds_at_most():
    """Each step is given time to show."""
    times = [at for at, _ in grown(late(60, rate=40), Reason.QUEUE_TIME)]

    assert min(later - earlier for earlier, later in pairwise(times)) >= 10.0


def test_waits_that_no_worker_can_have_caused_do_not_grow_the_count_for_ever():
    """A clock that is wrong at the proxy makes every request late, and yet most slots are idle."""
    plant = late(300)

    assert plant.last().target < 20


def test_demand_stays_what_the_model_says_while_queue_times_grow_the_count():
    """scale_out_pressure must not rise with a guess."""
    plant = late(30)

    assert plant.last().demand < 10


def test_workers_for_queue_times_are_remembered():
    """Without them the bursts would be late again: no shrink within the window."""
    policy = a_policy(max_workers=64, calm_seconds=5, scale_down_window_seconds=60)
    plant = late(policy=policy)
    plant.waits_in_bucket = None
    plant.serve(20, 45)

    assert [] == plant.acts(Action.SHRINK)


def test_queue_times_within_the_goal_change_nothing():
    """10 to 25 ms are what the goal allows."""
    assert [] == grown(late(40, waits_in_bucket=WITHIN_GOAL), Reason.QUEUE_TIME)


def test_queue_times_of_few_requests_change_nothing():
    """40 in ten seconds are no percentile to act on."""
    assert [] == grown(late(40, rate=4), Reason.QUEUE_TIME)


def test_queue_times_change_nothing_while_the_cores_are_full():
    """A worker more would only take from the others."""
    assert [] == grown(late(40, cores_used=10.0), Reason.QUEUE_TIME)


def test_queue_times_change_nothing_before_the_latest_workers_have_traffic():
    """The last step cannot have helped yet."""
    assert 1 >= len(grown(late(40, unseen_seconds=60.0), Reason.QUEUE_TIME))


def test_queue_times_grow_the_count_where_the_cores_cannot_be_read():
    """Unknown cores are no veto, and no reason."""
    plant = late(sees={"host": a_host(GONE)})

    assert 12 == grown(plant, Reason.QUEUE_TIME)[0][1]


def slower(does, seconds=30):
    """(at) of every step beyond the model: requests have come to take longer than 0.1 s."""
    plant = Plant(does).serve(10, 30)
    steps = []
    for _ in range(round(seconds * 4)):
        plant.serve(150, 0.25)
        if plant.history.stepped_at == plant.at:
            steps.append(plant.at)
    return steps


def pauses(steps):
    """Seconds between them."""
    return [later - earlier for earlier, later in pairwise(steps)]


def test_a_step_that_is_seen_to_pay_is_followed_sooner():
    """Requests take 0.4 s and every worker counts: two seconds, not four."""
    assert min(pauses(slower(scaling(0.4)))) <= 2.0


def test_a_step_that_does_not_pay_delays_the_next():
    """Four seconds, or three service times, without a verdict."""
    assert min(pauses(slower(pool_of(3))), default=99.0) >= 4.0


@pytest.mark.parametrize("sees", [{"cpu_seconds": GONE}, {"run_delay_seconds": GONE}])
def test_steps_do_not_rest_on_the_use_of_cores(sees):
    """A reading that is missing is no veto: the service time that grew is still answered."""
    plant = Plant(scaling(0.4), sees=sees).serve(6, 30).serve(50, 20)

    assert plant.target >= 20
