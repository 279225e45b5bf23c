"""Up at once, as far as it helps."""

from dataclasses import replace

import pytest
from tests.unit.law.fluid import Run, Server

from gunicorn_autotune.law import decide, start
from gunicorn_autotune.law.caps import boots_allowed, files_cap, pids_cap
from gunicorn_autotune.law.look import look
from gunicorn_autotune.model.decisions import Action, Bottleneck, CapName, Reason
from gunicorn_autotune.model.readings import UNLIMITED, Missing
from gunicorn_autotune.testing import a_host, a_policy, a_snapshot

GONE = Missing("gone")
WIDE = a_policy(max_workers=64)


def stepped(run):
    """`run` calm at 10 rps, then 0.25 s into a step to 150 rps."""
    return run.serve(10, 20, tick_seconds=1.0).serve(150, 0.25)


def test_a_step_of_load_is_answered_in_one_decision():
    """10 -> 150 rps of 100 ms requests: the first snapshot after the step asks for all the workers it takes."""
    run = stepped(Run(Server(), WIDE))

    assert 25 <= run.last().target <= 35


def test_a_standing_queue_is_the_reason_for_growth():
    """Requests wait, so the reason is the backlog."""
    run = stepped(Run(Server(), WIDE))

    assert (run.last().action, run.last().reason) == (Action.GROW, Reason.BACKLOG)


def test_a_step_is_seen_through_a_long_calm_interval():
    """The last calm snapshot was 1 s before: half a second later the workers are there all the same."""
    run = Run(Server(), WIDE).serve(10, 20, tick_seconds=1.0)
    for _ in range(75):
        run.server.step(10)
    run.serve(150, 0.5)

    assert 24 <= run.last().target <= 35


def test_the_queue_of_a_step_is_gone_within_a_second_and_a_half():
    """After the step nobody waits longer than 100 ms from 1.5 s on."""
    run = Run(Server(), WIDE).serve(10, 20, tick_seconds=1.0).serve(150, 1.5)
    late = run.server.late
    run.serve(150, 20)

    assert late == run.server.late


def test_demand_does_not_dip_while_the_means_catch_up():
    """Just after the step the demand stays what the arrivals need."""
    run = Run(Server(), WIDE).serve(10, 20, tick_seconds=1.0).serve(150, 5)

    assert min(decision.demand for decision in run.since(20.1)) >= 17.0


def test_a_slow_boot_limits_the_boots_under_way():
    """10 s of import on two idle cores: two at a time, more would only all be late."""
    run = stepped(Run(Server(boot_seconds=10.0, boot_cpu_seconds=10.0), WIDE))

    assert run.last().target - run.decisions[-2][1].target == 2


def test_boots_under_way_hold_growth_back():
    """While the allowed boots run, growth waits and says so."""
    run = stepped(Run(Server(boot_seconds=10.0, boot_cpu_seconds=10.0), WIDE)).serve(150, 2)

    assert (run.last().action, run.last().reason) == (Action.HOLD, Reason.BOOTING)


def test_cpu_bound_overload_does_not_run_away():
    """20 ms of CPU at 130 rps on two cores is more than they can do: the count stays at 2K + 1."""
    run = Run(Server(wait_seconds=0.0, work_seconds=0.02), WIDE).serve(40, 20, tick_seconds=1.0).serve(130, 40)

    assert run.server.target == 5


def test_cpu_bound_overload_names_the_cpu():
    """The reason and the bottleneck both say that more workers would not help."""
    run = Run(Server(wait_seconds=0.0, work_seconds=0.02), WIDE).serve(40, 20, tick_seconds=1.0).serve(130, 20)

    assert (run.last().reason, run.last().bottleneck) == (Reason.AT_CPU_CAP, Bottleneck.CPU)


def test_a_cpu_bound_past_does_not_cap_io_growth():
    """The load changes from CPU to I/O: the figures of the old one hold nothing back."""
    run = Run(Server(wait_seconds=0.0, work_seconds=0.02), WIDE).serve(40, 40, tick_seconds=1.0)
    run.server.wait_seconds, run.server.work_seconds = 0.4, 0.002
    run.serve(60, 10)

    assert run.server.target >= 25


def test_run_queue_delay_missing_does_not_run_away_either():
    """Without schedstat the full cores veto the steps beyond the model."""
    server = Server(wait_seconds=0.0, work_seconds=0.02, sees={"run_delay_seconds": Missing("no schedstat")})
    run = Run(server, WIDE).serve(40, 20, tick_seconds=1.0).serve(130, 60)

    assert run.server.target <= 16


def test_a_service_time_that_grew_is_believed_in_steps():
    """50 -> 500 ms: x1.5 + 1 a second until the 30 Erlangs fit."""
    run = Run(Server(wait_seconds=0.05), WIDE).serve(60, 20, tick_seconds=1.0)
    run.server.wait_seconds = 0.5
    run.serve(60, 20)

    assert run.server.target >= 35


def test_load_that_grows_without_pressure_grows_the_count():
    """A load that the means show is met before anybody waits."""
    run = Run(Server(target=6), WIDE).serve(30, 30, tick_seconds=1.0).serve(50, 10, tick_seconds=1.0)

    assert (Action.GROW, Reason.DEMAND) in {(d.action, d.reason) for d in run.since(30.5)}


def test_every_slot_taken_is_pressure_where_no_backlog_can_be_read():
    """With the listener unreadable, busy workers alone bring the growth."""
    run = Run(Server(sees={"backlog": Missing("netlink refused")}), WIDE).serve(10, 20, tick_seconds=1.0)
    run.serve(150, 3)

    assert run.server.target >= 20


def test_all_slots_taken_is_named_when_nothing_waits():
    """Busy for the whole interval, no backlog: all_busy."""
    first = a_snapshot(at=0.0, finished=100, service_seconds=10.0)
    second = a_snapshot(at=1.0, in_flight=2, busy_seconds=2.0, started=20, finished=118, service_seconds=12.0)

    decision, _ = decide(WIDE, start(first), second)

    assert decision.reason == Reason.ALL_BUSY


def test_an_unknown_service_time_grows_by_half_and_one():
    """Nothing has ever finished: from 4 ready workers to 7."""
    first = a_snapshot(at=0.0, workers=4)
    second = a_snapshot(at=0.25, workers=4, in_flight=4, backlog=9, busy_seconds=1.0, started=4, boots=4)

    decision, _ = decide(WIDE, start(first), second)

    assert decision.target == 7


def test_steps_are_a_second_apart():
    """The second snapshot of an unknown service time, 0.25 s on, adds nothing."""
    run = Run(Server(wait_seconds=60.0, target=4), WIDE).serve(100, 0.75)

    assert run.server.target == 7


def test_growth_stops_at_the_maximum():
    """max_workers holds, and the hold says so."""
    run = Run(Server(), a_policy(max_workers=8)).serve(10, 20, tick_seconds=1.0).serve(150, 5)

    assert (run.last().target, run.last().reason) == (8, Reason.AT_MAX)


def test_growth_stops_at_the_memory_cap():
    """1.15 x 26 MiB for each worker, the budget holds two more."""
    mib = 1 << 20
    host = a_host(memory_limit_bytes=1000 * mib, memory_used_bytes=830 * mib)
    run = stepped(Run(Server(host=host), WIDE))
    grown = run.decisions[-2][1].target

    assert (run.last().target - grown, min(run.last().caps, key=run.last().caps.get)) == (2, CapName.MEMORY)


def test_growth_stops_at_the_pids_cap():
    """Nine pids are left, three to a worker."""
    server = Server(host=a_host(pids_limit=100, pids_used=91))
    run = Run(server, WIDE).serve(150, 1)

    assert min(d.caps[CapName.PIDS] for _, d in run.decisions[:1]) == 5


@pytest.mark.parametrize(("threads", "workers"), [(255, 2 + 1024 // 257), (256, 2 + 1024 // 18)])
def test_a_worker_takes_as_many_pids_as_it_has_threads(threads, workers):
    """From 256 on they are the connections of an event loop, which keeps some 16 threads for blocking calls."""
    host = a_host(pids_limit=2048, pids_used=1024)

    assert workers == pids_cap(a_snapshot(workers=2, threads=threads, host=host))


def test_growth_stops_where_the_arbiter_has_no_descriptors_for_a_reload():
    """64, of which 12 are not for workers and 16 are kept free: two sets of 18 fit."""
    server = Server(host=a_host(files_limit=64, files_used=12 + 2))
    run = Run(server, WIDE).serve(150, 1)
    first = run.decisions[0][1]

    assert first.caps[CapName.FILES] == 18


@pytest.mark.parametrize(("target", "more"), [(4, 2), (3, 2), (5, 1)])
def test_workers_above_the_target_leave_no_room_for_more_boots(target, more):
    """Two idle cores boot two at a time; what is asked for already counts, what is too many does not."""
    before = a_snapshot(workers=4, target=target, boot_cpu_seconds=4.0, boots=4)
    view, _ = look(WIDE, start(before), replace(before, at=0.25))

    assert more == boots_allowed(WIDE, view)


@pytest.mark.parametrize("count", [1, 4, 18])
def test_the_files_cap_does_not_move_with_the_workers(count):
    """Each takes one descriptor, so what is left for more shrinks as they come."""
    host = a_host(files_limit=64, files_used=12 + count)

    assert files_cap(a_snapshot(workers=count, host=host)) == 18


@pytest.mark.parametrize(
    "host", [a_host(files_limit=UNLIMITED), a_host(files_limit=GONE), a_host(files_limit=64, files_used=GONE)]
)
def test_what_is_not_known_of_descriptors_caps_nothing(host):
    """Nor does no limit."""
    assert files_cap(a_snapshot(host=host)) is None


def test_a_limit_below_what_is_in_use_allows_none_and_takes_nobody_away():
    """Lowered under a running server (prlimit): min_workers and the workers there are stay."""
    server = Server(host=a_host(files_limit=10, files_used=20))
    run = Run(server, WIDE).serve(30, 1)

    assert (run.decisions[0][1].caps[CapName.FILES], run.last().target >= 2) == (0, True)


def test_a_single_queued_request_that_is_served_in_time_is_no_pressure():
    """One waiting for two workers of 20 ms is served within the goal."""
    first = a_snapshot(at=0.0, finished=100, service_seconds=2.0)
    second = a_snapshot(at=1.0, backlog=1, busy_seconds=0.4, started=20, finished=120, service_seconds=2.4)

    decision, _ = decide(WIDE, start(first), second)

    assert decision.reason == Reason.STEADY
