"""From what a record shows to each setting, and to its reason."""

from dataclasses import replace

import pytest

from gunicorn_autotune.cli.plan_memory import Life, leak_of
from gunicorn_autotune.cli.plan_observe import observe
from gunicorn_autotune.cli.plan_settings import doubling_of, settings_of
from gunicorn_autotune.cli.plan_staffing import staffing_of
from gunicorn_autotune.cli.plan_staffing_words import threads_reason, workers_reason
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.testing import MIB, NOT_READ, a_policy
from tests.unit.cli.records import COMPUTING, OVERLOAD, SYNC, WAITING, Stretch, a_record, observed_of, planned, reasons


def test_overloaded_cores_get_2k_plus_1_workers():
    """Requests that only compute, more of them than two cores can do: five workers, however long the queue."""
    assert planned(OVERLOAD)["workers"] == 5


def test_waiting_requests_get_what_erlang_asks_for():
    """6 busy slots of 100 ms: 10 workers keep 98 % of requests from waiting longer than 50 ms."""
    assert planned(WAITING)["workers"] == 10


def test_the_busiest_10_seconds_decide():
    """A minute of ten times the load in an hour of calm is what the count is for."""
    calm, peak = replace(WAITING, seconds=3600, rate=6), replace(WAITING, seconds=60)

    assert planned(WAITING)["workers"] == planned(calm, peak, calm)["workers"]


def test_the_reason_names_what_is_enough_for_95_percent_of_the_time():
    """An operator who can live with a late minute a day sees what that would save."""
    calm, peak = replace(WAITING, seconds=3600, rate=6), replace(WAITING, seconds=60)

    assert "95 % of the time 3 would do" in reasons(calm, peak, calm)["workers"]


def test_an_idle_server_keeps_min_workers():
    """With one worker a single slow request blocks the site."""
    assert planned(replace(WAITING, rate=0.5, service_seconds=0.01))["workers"] == 2


def test_max_workers_binds_and_says_so():
    """The operator's maximum, most often the database's, holds for a fixed count too."""
    policy = a_policy(max_workers=6)

    assert planned(WAITING, policy=policy)["workers"] == 6
    assert "But max_workers allows no more than 6." in reasons(WAITING, policy=policy)["workers"]


def test_threads_are_advised_when_processes_do_not_fit():
    """10 sync workers of 50 MiB do not fit into 512 MiB: six of two threads do."""
    plan = planned(WAITING, limit_mib=512)

    assert ("gthread", 6, 2) == (plan["worker_class"], plan["workers"], plan["threads"])


def test_threads_come_with_the_warning_that_the_app_must_be_thread_safe():
    """No measurement can show that it is."""
    assert "must be thread-safe" in reasons(WAITING, limit_mib=512)["worker_class"]


def test_threads_are_not_advised_while_processes_fit():
    """Processes ask nothing of the app's code."""
    assert "sync" == planned(WAITING, limit_mib=8192)["worker_class"]


def test_threads_are_not_advised_to_requests_that_compute():
    """The GIL lets one of them run; memory is then simply the limit."""
    plan = planned(COMPUTING, limit_mib=240)

    assert ("sync", 2) == (plan["worker_class"], plan["workers"])


def test_a_gthread_worker_accepts_twice_its_threads():
    """What it accepts beyond them waits where no idle worker sees it."""
    plan = planned(WAITING, threads=4, server={"worker_class": "gthread", "threads": 4})

    assert (4, 8) == (plan["threads"], plan["worker_connections"])


def test_an_event_loop_is_sized_by_its_cpu():
    """A thousand connections a worker say nothing; 1.4 cores in use are two processes of 0.7."""
    plan = planned(COMPUTING, threads=1000, server={"worker_class": "gevent"})

    assert ("gevent", 2) == (plan["worker_class"], plan["workers"])


def test_a_leak_is_bounded_by_max_requests():
    """10 workers share 1743 MiB: 124 MiB each above their 50 is 6300 requests of 20 KiB, less the jitter."""
    assert planned(WAITING, leak_bytes=20 << 10, limit_mib=2048)["max_requests"] == 4200


def test_max_requests_comes_with_half_of_it_as_jitter():
    """Else all workers are recycled together."""
    plan = planned(WAITING, leak_bytes=20 << 10, limit_mib=2048)

    assert plan["max_requests"] == 2 * plan["max_requests_jitter"]


def test_a_leak_and_its_requests_fit_into_the_memory():
    """With every worker at its last request the limit less its reserve is not passed."""
    plan = planned(WAITING, leak_bytes=20 << 10, limit_mib=1024)
    grown = 50 * MIB + (plan["max_requests"] + plan["max_requests_jitter"]) * (20 << 10)

    assert plan["workers"] * grown + 100 * MIB <= 0.9 * 1024 * MIB


UNREAD = Missing("no cgroup")


@pytest.mark.parametrize(
    ("older", "newer", "kills"), [(7, 9, 2), (9, 9, 0), (9, 1, 0), (UNREAD, 3, UNREAD), (3, UNREAD, UNREAD)]
)
def test_only_oom_kills_during_the_record_are_its_own(older, newer, kills):
    """The kernel counts since boot; a counter that went down is another cgroup's."""
    ticks = a_record(WAITING)
    first, last = (replace(tick, snapshot=replace(tick.snapshot, host=replace(tick.snapshot.host, oom_kills=count)))
                   for tick, count in ((ticks[0], older), (ticks[-1], newer)))  # fmt: skip

    assert kills == observe(SYNC, a_policy(), [first, *ticks[1:-1], last]).memory.oom_kills


def test_without_a_leak_workers_are_not_recycled():
    """max_requests 0, because one was watched for 2250 requests."""
    assert planned(WAITING)["max_requests"] == 0
    assert reasons(WAITING)["max_requests"] == "No worker grew steadily, the longest-lived over 2250 requests."


def test_a_cache_that_fills_is_no_leak():
    """Growth that stops halfway is left alone."""
    life = Life(0.0, 0, requests=list(range(0, 4000, 100)), sizes=[MIB * min(20, n) for n in range(40)])

    assert leak_of([life]) == 0.0


def test_a_record_too_short_to_see_a_leak_pins_nothing():
    """Gunicorn's default stays, as a comment that says why."""
    short = replace(WAITING, seconds=50)

    assert "max_requests" not in planned(short)
    assert "cannot be told: no worker was watched for 1000 requests" in reasons(short)["max_requests"]


def test_max_requests_as_recorded_stays_where_no_leak_can_be_told():
    """The operator had a reason that 50 s of record do not refute."""
    recorded = {"max_requests": 500, "max_requests_jitter": 50}
    plan = planned(replace(WAITING, seconds=50), server=recorded)

    assert recorded == {name: plan[name] for name in recorded}


@pytest.mark.parametrize(
    ("longest", "recorded", "expected"), [(3.0, 30, 30), (22.0, 30, 45), (3.0, 120, 120), (3.0, 0, 0)]
)
def test_timeout_is_twice_the_longest_request(longest, recorded, expected):
    """Never below 30 s, and never below what was set: a record does not show the request that comes once a month."""
    assert expected == planned(WAITING, longest_seconds=longest, server={"timeout": recorded})["timeout"]


def test_expensive_boots_are_preloaded():
    """10 boots of 2 s of CPU on two cores take 10 s."""
    assert planned(WAITING, boot_cpu_seconds=2.0)["preload_app"] is True
    assert "10 more workers take 10 s on 2 cores" in reasons(WAITING, boot_cpu_seconds=2.0)["preload_app"]


def preload_of(observed):
    """Value, whether it is pinned, and the reason."""
    (found,) = [one for one in settings_of(observed, staffing_of(observed)) if one.name == "preload_app"]
    return found.value, found.pinned, found.reason


def test_boots_of_three_seconds_in_all_are_the_first_to_be_preloaded():
    """10 boots of 600 ms of CPU on two cores; less is left at Gunicorn's default, and said."""
    value, pinned, reason = preload_of(observed_of(WAITING, boot_cpu_seconds=0.59))

    assert (True, True) == preload_of(observed_of(WAITING, boot_cpu_seconds=0.6))[:2]
    assert (False, False, True) == (value, pinned, reason.endswith(" on 2 cores: little to gain."))


def test_boots_that_do_not_all_start_at_once_take_their_time_one_batch_after_the_other():
    """10 boots of 5 s, 0.4 s of it CPU: two cores start 5 at a time, so 10 s; never less than one boot a batch."""
    observed = observed_of(WAITING, boot_cpu_seconds=0.4)
    doubling = doubling_of(replace(observed, crew=replace(observed.crew, boot_seconds=5.0)), 10)

    assert (10.0, 5) == (doubling.seconds, doubling.at_once)


def test_nothing_is_preloaded_where_no_boot_was_measured():
    """Gunicorn's default, unpinned."""
    observed = observed_of(WAITING)
    crew = replace(observed.crew, boot_cpu_seconds=Missing("no boot was seen"))
    value, pinned, reason = preload_of(replace(observed, crew=crew))

    assert (False, False, "What a boot costs is not in the record.") == (value, pinned, reason)


def test_an_app_that_was_preloaded_stays_so():
    """Whatever its boots cost: the operator knows that it can be."""
    assert planned(WAITING, boot_cpu_seconds=0.01, server={"preload_app": True})["preload_app"] is True


def test_cheap_boots_are_left_alone():
    """Half a second for all of them: nothing is pinned."""
    assert "preload_app" not in planned(WAITING, boot_cpu_seconds=0.1)


@pytest.mark.parametrize(("name", "value"), [("keepalive", 10), ("backlog", 512), ("graceful_timeout", 60)])
def test_what_the_record_cannot_judge_is_kept_as_it_was_set(name, value):
    """An operator's own value is not lost by planning."""
    server = {"worker_class": "gthread", "threads": 2, name: value}

    assert value == planned(WAITING, threads=2, server=server)[name]


@pytest.mark.parametrize("name", ["keepalive", "backlog", "graceful_timeout"])
def test_what_the_record_cannot_judge_is_not_invented(name):
    """Gunicorn's default stays a comment, or is not there."""
    assert name not in planned(WAITING, threads=2, server={"worker_class": "gthread", "threads": 2})


def test_more_workers_are_not_planned_than_the_database_serves():
    """Twice the rate took four times as long on idle cores: the count stays where throughput ended."""
    slow = replace(WAITING, service_seconds=0.4, rate=61)

    assert planned(WAITING, slow)["workers"] == 9
    assert "what requests wait for did no more with more than 6 busy slots" in reasons(WAITING, slow)["workers"]


def test_an_assumed_spread_of_service_times_is_named():
    """A running server does not tell it."""
    observed = observed_of(WAITING)
    unknown = replace(observed, load=replace(observed.load, variability=NOT_READ))

    assert "Assumed: service times vary as exponential ones do" in workers_reason(unknown, staffing_of(unknown))


def test_cores_that_cannot_be_read_limit_nothing():
    """A missing reading is never taken for a number."""
    assert planned(Stretch(), cores=NOT_READ)["workers"] == 10


@pytest.mark.parametrize(("worth", "said"), [(1, "No more than one thread"), (2, "Up to 2 threads")])
def test_threads_are_counted_from_two_on(worth, said):
    """One is what every process has."""
    observed = observed_of(WAITING)

    assert threads_reason(replace(staffing_of(observed), threads_worth=worth)).startswith(f"{said} would be of use")
