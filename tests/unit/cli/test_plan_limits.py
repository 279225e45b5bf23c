"""What is said to be in the way, each with a record that fires it and one that does not."""

from dataclasses import replace

import pytest

from gunicorn_autotune.cli.plan_limits import hindrances_of
from gunicorn_autotune.cli.plan_staffing import staffing_of
from gunicorn_autotune.model.decisions import Bottleneck, Reason
from gunicorn_autotune.testing import a_policy
from tests.unit.cli.records import OVERLOAD, WAITING, Stretch, observed_of

HOUR = replace(WAITING, seconds=3600)


def found(*stretches, **world):
    """Hindrances by name."""
    observed = observed_of(*stretches, **world)
    return {one.name: one for one in hindrances_of(observed, staffing_of(observed))}


def test_an_hour_of_calm_has_nothing_in_the_way():
    """No line is printed for the sake of it."""
    assert found(HOUR) == {}


def test_full_cores_are_trouble_with_their_share_of_time():
    """And the advice is not more workers."""
    cpu = found(OVERLOAD)["cpu"]

    assert (True, "2 cores were full 100 % of the time") == (cpu.trouble, cpu.finding.partition(";")[0])
    assert "60 % of their time waiting for a core" in cpu.finding


def test_a_throttling_quota_is_trouble():
    """A tenth of the time stopped."""
    record = {"cpu_throttled_seconds": 1}

    assert found(HOUR, **record)["throttling"].trouble


def test_requests_that_slow_down_on_idle_cores_point_downstream():
    """The cores are a fifth in use, so it is what requests wait for."""
    downstream = found(HOUR, replace(WAITING, seconds=3600, rate=80, service_seconds=0.3))["downstream"]

    assert (True, True) == (downstream.trouble, "took 3 times as long" in downstream.finding)


def test_the_verdict_of_the_law_points_downstream():
    """More workers brought no more throughput."""
    verdict = replace(HOUR, seconds=100, bottleneck=Bottleneck.DOWNSTREAM)

    assert "more workers brought no more throughput" in found(HOUR, verdict)["downstream"].finding


def test_requests_that_slow_down_on_full_cores_do_not_point_downstream():
    """The cores explain it."""
    busy = replace(WAITING, seconds=3600, rate=95, service_seconds=0.3, cpu_seconds=0.02)

    assert "downstream" not in found(HOUR, busy)


def test_workers_that_do_not_fit_into_memory_are_said_with_the_sum():
    """Limit, reserve, others and worker: an operator can check it."""
    assert found(HOUR, limit_mib=512)["memory"].finding == (
        "10 processes would be needed, but memory holds no more than 6: 512 MiB less 10 % in reserve and 100 MiB for "
        "others, by 50 MiB (PSS) and 15 % for each worker"
    )


def test_kills_for_memory_are_trouble():
    """The kernel's own count."""
    assert found(HOUR, oom_kills=1)["memory"].trouble


def test_a_leak_is_good_to_know():
    """max_requests bounds it."""
    assert not found(WAITING, leak_bytes=20 << 10)["leak"].trouble


def test_a_leak_that_fills_the_memory_at_once_is_trouble():
    """10 MiB a request leave room for fewer than 100."""
    assert found(WAITING, leak_bytes=10 << 20, limit_mib=1024, other_mib=0)["leak"].trouble


def test_boots_that_take_long_are_said_with_the_time_to_double():
    """10 workers of 4 s of CPU on two cores."""
    boot = found(HOUR, boot_cpu_seconds=4.0)["boot"]

    assert (False, "10 more workers take 20 s, 2 at a time") == (boot.trouble, boot.finding)


def test_growth_that_waited_now_and_then_is_no_trouble():
    """Each growth waits for its boots: one minute in a hundred is good to know."""
    assert not found(HOUR, replace(HOUR, seconds=50, reason=Reason.BOOTING))["boot"].trouble


def test_boots_that_growth_waited_for_are_trouble():
    """Requests waited as long, for one minute in twenty or more."""
    assert found(HOUR, replace(HOUR, seconds=300, reason=Reason.BOOTING))["boot"].trouble


def test_a_queue_at_its_end_is_trouble():
    """2000 of 2048: the next ones are refused."""
    assert found(replace(OVERLOAD, seconds=50))["listener"].finding.startswith(
        "2000 connections waited in a queue of 2048"
    )


def test_max_workers_in_the_way_is_trouble():
    """10 are needed."""
    assert (
        found(HOUR, policy=a_policy(max_workers=6))["max_workers"].finding == "10 workers are needed, max_workers is 6"
    )


def test_pids_in_the_way_are_trouble():
    """The law held at that cap."""
    assert found(HOUR, replace(HOUR, reason=Reason.AT_PIDS_CAP))["pids"].trouble


def test_open_files_in_the_way_are_trouble():
    """The law held at that cap."""
    assert found(HOUR, replace(HOUR, reason=Reason.AT_FILES_CAP))["files"].trouble


def test_a_request_near_its_timeout_is_trouble():
    """29 s of 30: its worker may have been killed."""
    assert found(HOUR, longest_seconds=29.0)["timeout"].trouble


def test_slots_all_taken_may_hide_load():
    """The load offered cannot be seen when nothing is free."""
    assert "slots" in found(HOUR, workers=6)


@pytest.mark.parametrize(("seconds", "expected"), [(200, True), (3600, False)])
def test_a_short_record_holds_no_peak(seconds, expected):
    """Below an hour: plan for your peak, not for this."""
    assert ("record" in found(replace(WAITING, seconds=seconds))) is expected


def test_trouble_comes_first():
    """Whatever the order of the checks."""
    troubles = [one.trouble for one in found(OVERLOAD, leak_bytes=20 << 10).values()]

    assert sorted(troubles, reverse=True) == troubles


def test_a_full_pool_is_said_and_no_more_workers_are_asked_for():
    """40 requests a second with 4 busy slots, and no more with 40 and a queue: the database, not max_workers."""
    few = Stretch(rate=40, service_seconds=0.1, queue_growth=20, seconds=60)
    many = replace(few, service_seconds=1.0, reason=Reason.AT_MAX)
    limits = found(few, many)

    assert ("downstream" in limits, "max_workers" in limits) == (True, False)
