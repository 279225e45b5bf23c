"""demand / cap: whether this host is too small, whatever the count is now."""

from dataclasses import replace

import pytest
from tests.unit.law.plant import Plant, pool_of, scaling

from gunicorn_autotune.law import decide
from gunicorn_autotune.model.decisions import Bottleneck, CapName
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.testing import MIB, a_host, a_policy

SMALL = a_policy(max_workers=8)
GONE = Missing("taken away by the test")


def test_demand_is_published_before_limits():
    """20 busy slots need more than the eight workers that are allowed."""
    plant = Plant(scaling(), policy=SMALL).serve(20, 30).serve(200, 5)

    assert plant.last().demand > 20


def test_demand_above_the_memory_cap_is_published_as_it_is():
    """The limit is the host's, the need the load's."""
    host = a_host(2.0, memory_limit_bytes=270 * MIB, memory_used_bytes=200 * MIB)
    plant = Plant(scaling(), sees={"host": host}).serve(20, 30).serve(200, 5)

    assert plant.last().demand > 2 * plant.last().caps[CapName.MEMORY]


def test_a_host_that_is_too_small_has_pressure_above_one():
    """More hosts would help."""
    plant = Plant(scaling(), policy=SMALL).serve(20, 30).serve(200, 5)

    assert plant.last().scale_out_pressure > 1.0


def test_pressure_is_demand_over_the_smallest_cap():
    """max_workers is 8 here."""
    decision = Plant(scaling(), policy=SMALL).serve(20, 30).last()

    assert decision.demand / 8 == decision.scale_out_pressure


def test_pressure_does_not_depend_on_the_present_count():
    """Else growing would lower it, and two controllers would chase each other."""
    few, many = (Plant(scaling(), spawned=[-100.0] * count).serve(20, 30) for count in (5, 20))

    assert few.last().scale_out_pressure == many.last().scale_out_pressure


def behind(policy=SMALL, seconds=60):
    """Ten connections are the limit, and that is known by now."""
    plant = Plant(pool_of(10), policy=policy).serve(20, 30).serve(200, seconds)
    assert Bottleneck.DOWNSTREAM is plant.last().bottleneck
    return plant


WIDE = a_policy(max_workers=64)


def test_pressure_keeps_its_value_while_the_bottleneck_is_downstream():
    """Twice the load comes, and not one host more is asked for."""
    plant = behind(WIDE)
    before = plant.last().scale_out_pressure
    plant.serve(400, 5)

    assert before == plant.last().scale_out_pressure


def test_pressure_is_one_at_most_while_the_bottleneck_is_downstream():
    """It was above one before the verdict; kept there, an autoscaler would go on adding hosts for ever."""
    plant = behind(a_policy(max_workers=24))

    assert 1.0 >= plant.last().scale_out_pressure


def test_pressure_moves_again_when_the_bottleneck_is_not_downstream():
    """The queue is gone, so is what held it."""
    plant = behind(WIDE)
    plant.backlog = 0.0
    plant.serve(20, 20)

    assert plant.last().demand / 64 == plant.last().scale_out_pressure


def test_a_full_cpu_does_not_freeze_pressure():
    """More hosts would help there."""
    plant = Plant(pool_of(10), cores_used=1.95).serve(20, 30).serve(200, 60)
    plant.history = replace(plant.history, pressure=0.123)
    plant.serve(200, 0.25)

    assert plant.last().bottleneck is Bottleneck.CPU
    assert 0.123 != plant.last().scale_out_pressure


@pytest.mark.parametrize("sees", [{"busy_seconds": GONE}, {"busy_seconds": GONE, "backlog": GONE}])
def test_without_demand_there_is_no_pressure(sees):
    """Missing, not 0: an autoscaler must not take hosts away for want of a reading."""
    plant = Plant(scaling(), sees=sees).serve(20, 5)

    assert isinstance(plant.last().scale_out_pressure, Missing)


def test_a_cap_of_nothing_divides_by_one():
    """Over the reserve by more than all workers hold."""
    host = a_host(2.0, memory_limit_bytes=300 * MIB, memory_used_bytes=2000 * MIB)
    plant = Plant(scaling(), sees={"host": host}).serve(20, 5)

    assert plant.last().demand == plant.last().scale_out_pressure


def test_deciding_twice_gives_the_same_answer():
    """decide() has no clock, no chance, and changes nothing that it is given."""
    plant = behind(WIDE)
    history, snapshot = plant.history, plant.snapshot()
    snapshot = replace(snapshot, at=snapshot.at + 0.25)

    assert decide(WIDE, history, snapshot) == decide(WIDE, history, snapshot)
