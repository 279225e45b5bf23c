"""Growth under pressure has to raise throughput."""

import pytest
from tests.unit.law.plant import Plant, pool_of, scaling

from gunicorn_autotune.law.ceiling import allowed
from gunicorn_autotune.law.judge import pays
from gunicorn_autotune.model.decisions import Action, Bottleneck, Reason
from gunicorn_autotune.model.history import Ceiling, History
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.testing import a_host, a_policy

CALM_SECONDS = 30.0


def pushed(plant, seconds=60):
    """`plant` after half a minute at 20 requests per second, then `seconds` at 200."""
    return plant.serve(20, CALM_SECONDS).serve(200, seconds)


def test_growth_that_pays_is_never_rolled_back():
    """Every worker brings as much as the first: nothing is taken back, then or later."""
    plant = pushed(Plant(scaling()))

    assert [] == plant.acts(Action.ROLLBACK)


def test_growth_that_pays_leaves_no_ceiling():
    """Nothing holds the next growth back."""
    assert pushed(Plant(scaling())).history.ceiling is None


def test_growth_that_pays_half_is_enough():
    """Each worker brings half of the first: above the 40 % that a step must bring."""
    plant = pushed(Plant(lambda workers: 50.0 + 5.0 * (workers - 5)))

    assert [] == plant.acts(Action.ROLLBACK)


def test_growth_that_does_not_pay_is_rolled_back():
    """Ten connections for all: what came beyond them leaves within ten seconds."""
    plant = pushed(Plant(pool_of(10)), 10)

    assert plant.target < max(target for _, target in plant.acts(Action.GROW))


def test_a_rollback_says_that_there_was_no_gain():
    """The reason in the log is the verdict, not the load."""
    plant = pushed(Plant(pool_of(10)))

    assert {Reason.NO_GAIN} == {one.reason for _, one in plant.decisions if one.action is Action.ROLLBACK}


def test_a_rollback_ends_at_the_least_count_that_does_as_much():
    """A fifth fewer at a time, until ten connections are almost short of workers."""
    plant = pushed(Plant(pool_of(10)), 64)

    assert 10 <= plant.target <= 12


def test_a_rollback_keeps_the_throughput():
    """Fewer workers finish what the most did."""
    plant = pushed(Plant(pool_of(10)))
    before = plant.done
    plant.serve(200, 4)

    assert plant.done - before >= 0.97 * 4 * 100


def test_a_rollback_ends_at_the_top_of_a_hill():
    """Throughput that falls beyond twelve workers: back to about twelve."""
    plant = pushed(Plant(lambda workers: 10.0 * workers if workers <= 12 else 1440.0 / workers), 90)

    assert 11 <= plant.target <= 15


def test_the_verdict_is_downstream_where_cores_are_free():
    """The cores are idle, so it is something behind the workers."""
    assert Bottleneck.DOWNSTREAM is pushed(Plant(pool_of(10))).last().bottleneck


def test_the_verdict_is_cpu_where_the_cores_are_full():
    """1.95 of two cores were in use while the growth did not pay."""
    plant = pushed(Plant(pool_of(10), cores_used=1.95))

    assert Bottleneck.CPU is plant.history.ceiling.verdict


def test_the_verdict_is_downstream_where_the_cores_cannot_be_read():
    """Unknown cores are never full."""
    plant = pushed(Plant(pool_of(10), cores_used=1.95, sees={"host": a_host(Missing("hidden"))}))

    assert Bottleneck.DOWNSTREAM is plant.history.ceiling.verdict


def test_no_judgement_before_the_new_workers_have_traffic():
    """A proxy keeps its connections for twenty seconds: the new workers could not have helped yet."""
    plant = pushed(Plant(pool_of(10), unseen_seconds=20.0), 20)

    assert plant.history.ceiling is None


def test_no_judgement_while_the_new_workers_have_a_trickle_of_traffic():
    """One request each is no trial: the workers together are less busy than the few were."""
    plant = pushed(Plant(scaling(), unseen_seconds=20.0, trickle=True), 20)

    assert plant.history.ceiling is None


def test_a_trickle_does_not_put_off_a_judgement_for_ever():
    """Once the new workers are as busy as the others, a growth that brings nothing is found out."""
    plant = pushed(Plant(pool_of(10), policy=a_policy(max_workers=32), unseen_seconds=20.0, trickle=True), 60)

    assert plant.history.ceiling is not None


def test_workers_that_stay_idle_for_two_minutes_are_found_out():
    """Traffic that never reaches them is no reason to keep them: the workers they were added for are few."""
    fed = [-1e7] * 4
    plant = pushed(Plant(scaling(), a_policy(max_workers=32), spawned=fed, unseen_seconds=1e6, trickle=True), 180)

    assert plant.history.ceiling is not None


def test_judgement_when_the_new_workers_have_traffic():
    """Ten seconds after they are seen to serve."""
    plant = pushed(Plant(pool_of(10), policy=a_policy(max_workers=32), unseen_seconds=20.0), 20)
    plant.serve(200, 10)

    assert plant.history.ceiling is not None


def test_calm_is_never_judged():
    """Growth for a load that fits says nothing about what a count can do."""
    plant = Plant(pool_of(10)).serve(20, CALM_SECONDS).serve(60, 60)

    assert plant.history.ceiling is None


def test_a_fixed_count_is_never_doubted():
    """min == max: whatever requests take, there is nothing to try."""
    plant = pushed(Plant(pool_of(2), policy=a_policy(min_workers=4, max_workers=4)))

    assert plant.history.ceiling is None


@pytest.mark.parametrize("most", [3, 4, 5, 8])
def test_a_doubt_tries_fewer_workers(most):
    """A fifth of three or four is less than one: one fewer all the same, or nothing would be tried."""
    policy = a_policy(max_workers=most)
    plant = Plant(pool_of(2, 0.01), policy=policy, takes_seconds=0.005, spawned=[-100.0] * 2, boot_seconds=0.0)
    plant.serve(50, CALM_SECONDS).serve(2000, 20)

    assert most - 1 >= plant.target


def test_the_verdict_stays_open_while_a_doubt_is_tried():
    """Nothing is known yet, so nothing but the workers is named."""
    plant = Plant(pool_of(10), boot_seconds=0.0).serve(20, CALM_SECONDS)
    plant.serve(200, 22)

    assert Bottleneck.WORKERS is plant.history.ceiling.verdict


def test_a_doubt_that_was_wrong_lifts_its_ceiling():
    """Requests became long and every worker counts: fewer did less, so the trial ends."""
    plant = Plant(scaling(0.5), boot_seconds=0.0).serve(7, CALM_SECONDS)
    plant.serve(200, 60)

    assert plant.history.ceiling is None


def test_without_a_ceiling_any_count_is_allowed():
    """None, not a large number."""
    assert allowed(History(), 0.0) is None


def test_a_ceiling_allows_a_step_that_can_be_judged_when_its_time_is_over():
    """A third more and one: 10 -> 14."""
    ceiling = Ceiling(10, 10, 100.0, Bottleneck.DOWNSTREAM, until=60.0, hold_seconds=60.0, set_at=0.0, trimming=False)

    assert (10, 14) == (allowed(History(ceiling=ceiling), 59.0), allowed(History(ceiling=ceiling), 60.0))


def test_nothing_measured_says_nothing_about_gain():
    """Neither yes nor no."""
    assert pays(History()) is None
