"""One look: what stands in the rows, the processes and the sockets, and what of it becomes a figure."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from tests.unit.runtime.arbiters import NO_PROCESS, NS, Arbiter, Clock, Listener, running

from gunicorn_autotune.model.readings import MemoryReading, Missing, ProcessReading
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.model.status import ExitReason, Stage
from gunicorn_autotune.runtime import sensing, surroundings
from gunicorn_autotune.scoreboard import layout
from gunicorn_autotune.sensors.process import ProcessProbe
from gunicorn_autotune.testing import MIB

OK_BUCKET, OK_SUM = layout.DURATION_FIRSTS[1], layout.DURATION_SUMS[1]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Arbiter, Clock]]:
    """Two workers that have been up for 100 s."""
    with running(monkeypatch) as there:
        yield there


def look(arbiter: Arbiter):
    """Everything the law may know."""
    return sensing.look(arbiter, arbiter.autotune)


def answered(tracked, count: int, nanoseconds: int = NS // 2) -> None:
    """The worker has answered `count` more requests."""
    tracked.row[OK_BUCKET] += count
    tracked.row[OK_SUM] += count * nanoseconds
    tracked.row[layout.BUSY_NS] += count * nanoseconds


@pytest.mark.parametrize(
    ("words", "draining", "state"),
    [
        ({layout.READY_NS: 0}, False, WorkerState.BOOTING),
        ({}, False, WorkerState.IDLE),
        ({layout.CELLS: 990 * NS}, False, WorkerState.BUSY),
        ({layout.IN_FLIGHT: 3, layout.OLDEST_NS: 990 * NS, layout.CHANGED_NS: 990 * NS}, False, WorkerState.BUSY),
        ({layout.RECORDS: 0}, False, WorkerState.UNKNOWN),
        ({layout.RECORDS: 0, layout.READY_NS: 0}, False, WorkerState.BOOTING),
        ({layout.CELLS: 990 * NS}, True, WorkerState.DRAINING),
        ({layout.READY_NS: 0}, True, WorkerState.DRAINING),
    ],
)
def test_a_worker_is_what_its_row_and_the_arbiter_say(site, words, draining, state):
    """It boots until it says that it is ready; it is unknown where its class reports nothing; leaving beats all."""
    arbiter, _ = site
    (tracked, _) = arbiter.autotune.tracked.values()
    tracked.draining = draining
    for word, value in words.items():
        tracked.row[word] = value

    assert state is look(arbiter).workers[0].state


def test_a_worker_reading_is_its_row_in_seconds(site):
    """Two cells run, the first for 10 s; three wait inside; five answered by it, two by the worker before it."""
    arbiter, _ = site
    first, second = arbiter.autotune.tracked.values()
    second.requests_before = 2
    answered(second, 7)
    second.row[layout.CELLS], second.row[layout.CELLS + 1] = 990 * NS, 999 * NS
    second.row[layout.QUEUED] = 3
    seen = look(arbiter).workers

    assert [(0, NO_PROCESS + 1, 1), (1, NO_PROCESS + 2, 2)] == [(one.slot, one.pid, one.age) for one in seen]
    assert (900.0, 900.5, 2, 3, 10.0, 7, 5, 3.5 + 10.0 + 1.0) == (
        seen[1].spawned_at, seen[1].ready_at, seen[1].in_flight, seen[1].queued, seen[1].oldest_request_seconds,
        seen[1].requests, seen[1].served, seen[1].busy_seconds,
    )  # fmt: skip
    assert (0, 0.0, 0) == (seen[0].in_flight, seen[0].oldest_request_seconds, seen[0].requests)
    assert first.slot == 0


def test_a_booting_worker_has_no_time_of_readiness(site):
    """None, not the beginning of time."""
    arbiter, _ = site
    arbiter.spawn(ready=False)

    assert look(arbiter).workers[2].ready_at is None


def test_what_gunicorn_no_longer_has_is_not_seen(site):
    """Reaped, and its exit not told yet."""
    arbiter, _ = site
    del arbiter.WORKERS[NO_PROCESS + 1]

    assert [NO_PROCESS + 2] == [one.pid for one in look(arbiter).workers]


def test_a_worker_without_a_row_counts_as_ready_and_unknown(monkeypatch):
    """The board is full: it serves unmeasured."""
    with running(monkeypatch, workers=0) as (arbiter, _):
        arbiter.autotune.slots_used = arbiter.autotune.board.shape.rows
        tracked = arbiter.spawn()
        arbiter.autotune.slots_used = 0
        (seen,) = look(arbiter).workers

        assert (None, WorkerState.UNKNOWN, tracked.spawned_at) == (seen.slot, seen.state, seen.ready_at)
        assert (0, 0, 0.0) == (seen.in_flight, seen.requests, seen.busy_seconds)


def test_totals_are_sums_over_the_slots(site):
    """Also of those whose worker has left; what died with a worker was started and never finished."""
    arbiter, _ = site
    first, second = arbiter.autotune.tracked.values()
    answered(first, 4)
    answered(second, 6, NS)
    second.row[layout.CELLS] = 999 * NS
    second.row[layout.QUEUE_BUCKETS] = 9
    arbiter.autotune.board.note(0, layout.LOST, 3)
    arbiter.autotune.tally.exits.update({ExitReason.SIGNAL: 2, ExitReason.OOM_KILL: 1, ExitReason.ERROR: 5})
    totals = look(arbiter).totals

    assert (10, 14, 8.0, 9.0, 3) == (
        totals.requests_finished, totals.requests_started, totals.service_seconds, totals.busy_seconds, totals.killed,
    )  # fmt: skip
    assert pytest.approx(10 * layout.DURATION_MIDDLES_SECONDS[0] ** 2) == totals.service_seconds_squared
    assert (9, 0) == (totals.queue_time_counts[0], sum(totals.queue_time_counts[1:]))


def test_a_server_without_workers_has_totals_of_zero(monkeypatch):
    """At its very start."""
    with running(monkeypatch, workers=0) as (arbiter, _):
        totals = look(arbiter).totals

    assert (0, 0, 0.0) == (totals.requests_finished, totals.requests_started, totals.busy_seconds)


def test_a_class_that_reports_nothing_has_no_busy_time(site):
    """Missing, with the reason; never 0."""
    arbiter, _ = site
    arbiter.autotune.records = False

    assert isinstance(look(arbiter).totals.busy_seconds, Missing)


def test_busy_time_never_goes_down(site):
    """A row caught between two stores shows less for a moment."""
    arbiter, _ = site
    row = arbiter.autotune.tracked[1].row
    row[layout.CELLS] = 995 * NS
    seen = [look(arbiter).totals.busy_seconds]
    row[layout.CELLS] = 0
    seen.append(look(arbiter).totals.busy_seconds)
    row[layout.BUSY_NS] = 7 * NS
    seen.append(look(arbiter).totals.busy_seconds)

    assert [5.0, 5.0, 7.0] == seen


def process(cpu: float, delay: float = 0.0, rss: int = 50 << 20) -> ProcessReading:
    """What /proc says."""
    return ProcessReading(cpu, delay, rss, 1)


def test_cpu_of_a_boot_is_not_the_load_s(monkeypatch):
    """The import, and the interval in which the worker became ready; what comes after is load."""
    with running(monkeypatch, workers=1, ready=False) as (arbiter, _):
        tracked, totals = arbiter.autotune.tracked[1], []
        arbiter.autotune.boot_failures_in_row = 3
        for cpu, delay, ready in ((2.0, 1.0, 0), (3.0, 1.5, 901 * NS), (3.25, 1.75, 901 * NS)):
            tracked.probe.reading, tracked.row[layout.READY_NS] = process(cpu, delay), ready
            totals.append(look(arbiter).totals)

        assert [(2.0, 0), (3.0, 1), (3.0, 1)] == [(one.boot_cpu_seconds, one.boots) for one in totals]
        assert [0.0, 0.0, 0.25] == [one.cpu_seconds for one in totals]
        assert [0.0, 0.0, 0.25] == [one.run_delay_seconds for one in totals]
        assert 0 == arbiter.autotune.boot_failures_in_row


def test_what_no_process_tells_is_missing(site):
    """CPU time and the wait for a core, each with its own reason."""
    arbiter, _ = site
    for tracked in arbiter.autotune.tracked.values():
        tracked.probe.reading = Missing("gone")
    unread = look(arbiter).totals
    for tracked in arbiter.autotune.tracked.values():
        tracked.probe.reading = ProcessReading(2.0, Missing("no schedstat"), 1 << 20, 1)
    look(arbiter)
    partly = look(arbiter).totals

    assert (sensing.NO_CPU, sensing.NO_DELAY) == (unread.cpu_seconds, unread.run_delay_seconds)
    assert (4.0, sensing.NO_DELAY) == (partly.cpu_seconds, partly.run_delay_seconds)


def test_cpu_time_that_goes_down_is_not_taken_back(site):
    """Another process under the same pid, or a kernel that rounds."""
    arbiter, _ = site
    tracked = arbiter.autotune.tracked[1]
    look(arbiter)
    for cpu in (4.0, 1.0, 5.0):
        tracked.probe.reading = process(cpu)
        total = look(arbiter).totals.cpu_seconds

    assert 5.0 == total


def test_what_the_arbiter_knows_stands_in_its_own_words(site):
    """For the exporter: pid, CPU of all processes of the slot, sizes; one that was not read is marked so."""
    arbiter, _ = site
    first, second = arbiter.autotune.tracked.values()
    first.cpu_ns_before, first.probe.reading = 5 * NS, process(2.0)
    first.memory = MemoryReading(pss_bytes=30, uss_bytes=20)
    second.probe.reading, second.draining = Missing("gone"), True
    arbiter.autotune.memory_not_before = 1e9
    look(arbiter)
    words = (layout.PID, layout.DRAINING, layout.CPU_NS, layout.RSS_BYTES, layout.USS_BYTES, layout.PSS_BYTES)
    noted = [[arbiter.autotune.board.noted(slot, word) for word in words] for slot in (0, 1)]

    assert [NO_PROCESS + 1, 0, 7 * NS, 50 << 20, 20, 30] == noted[0]
    assert [NO_PROCESS + 2, 1, 0, layout.NOT_READ] == noted[1][:4]


def test_of_many_workers_a_part_is_read_at_each_look_and_all_in_turn(monkeypatch):
    """40 of them: 32 and then the rest, from the beginning again."""
    with running(monkeypatch, workers=40) as (arbiter, _):
        read = []
        for tracked in arbiter.autotune.tracked.values():
            tracked.probe.read = lambda age=tracked.age: read.append(age) or process(1.0)
        for _ in range(5):
            look(arbiter)

    assert [*range(1, 41)] * 4 == read


def test_one_size_is_read_at_a_look_in_rotation(monkeypatch):
    """Only of workers that are ready, and not before its time."""
    with running(monkeypatch, workers=3) as (arbiter, clock):
        arbiter.spawn(ready=False)
        read: list[int] = []
        monkeypatch.setattr(sensing.memory, "read_memory", lambda pid: read.append(pid - NO_PROCESS) or Missing("x"))
        look(arbiter)
        for _ in range(6):
            look(arbiter)
        arbiter.autotune.memory_not_before = clock.now + 0.1
        look(arbiter)
        clock.now += 0.1
        look(arbiter)

    assert (7, {1, 2, 3}) == (len(read), set(read))
    assert all(sorted(read[turn : turn + 3]) == [1, 2, 3] for turn in range(4))


def test_a_snapshot_carries_what_holds_the_count(site):
    """Target, threads, and whatever freezes or holds it."""
    arbiter, clock = site
    tune = arbiter.autotune
    arbiter.num_workers, tune.threads, tune.frozen, tune.held_until, tune.boot_backoff_until = 7, 4, "winch", 3.0, 5.0
    seen = look(arbiter)

    assert (clock.now, 7, 4, "winch", 3.0, 5.0) == (
        seen.at, seen.target, seen.threads, seen.frozen, seen.held_until, seen.boot_backoff_until,
    )  # fmt: skip


def test_a_sensor_that_raises_is_missing_counted_and_told_once(site):
    """The others are read all the same."""
    arbiter, _ = site

    def broken():
        raise RuntimeError("on purpose")

    arbiter.autotune.tracked[1].probe.read = broken
    arbiter.autotune.tracked[2].probe.reading = process(1.0)
    first, _ = look(arbiter), look(arbiter)

    assert (True, 1.0) == (isinstance(first.workers[0].cpu_seconds, Missing), first.workers[1].cpu_seconds)
    assert (2, 1) == (arbiter.autotune.tally.errors[Stage.READ], len(arbiter.log.lines))


def quiet(arbiter: Arbiter, clock: Clock, after: float = 0.25) -> bool:
    """Whether a full look is spared `after` a full one."""
    tune = arbiter.autotune
    tune.looked_at = clock.now
    look(arbiter)
    sensing.nothing_happened(arbiter, tune, clock.now)
    clock.now += after
    return sensing.nothing_happened(arbiter, tune, clock.now)


@pytest.mark.parametrize(("after", "spared"), [(0.25, True), (0.89, True), (0.91, False), (1.5, False)])
def test_an_idle_server_is_looked_at_in_full_once_a_second(site, after, spared):
    """Nothing has changed since the last look."""
    assert spared == quiet(*site, after)


def _running(arbiter: Arbiter) -> None:
    arbiter.autotune.tracked[1].row[layout.CELLS] = 990 * NS


def _overlapping(arbiter: Arbiter) -> None:
    arbiter.autotune.tracked[2].row[layout.IN_FLIGHT] = 1


def _draining(arbiter: Arbiter) -> None:
    arbiter.autotune.tracked[1].draining = True


def _booting(arbiter: Arbiter) -> None:
    arbiter.spawn(ready=False)


@pytest.mark.parametrize("busy", [_running, _overlapping, _draining, _booting])
def test_a_server_that_works_is_looked_at_at_every_tick(site, busy):
    """However still it stands: a request runs, a worker leaves or boots."""
    arbiter, clock = site
    busy(arbiter)

    assert not quiet(arbiter, clock)


@pytest.mark.parametrize(
    "change",
    [
        lambda arbiter: answered(arbiter.autotune.tracked[2], 1),
        lambda arbiter: arbiter.WORKERS.popitem(),
        lambda arbiter: setattr(arbiter, "num_workers", 3),
        lambda arbiter: setattr(arbiter.autotune, "frozen", "winch"),
        lambda arbiter: setattr(arbiter.autotune, "held_until", 5000.0),
    ],
    ids=["answered", "gone", "resized", "frozen", "held"],
)
def test_whatever_changed_is_looked_at_at_once_and_then_rests(site, change):
    """A request that came and went between two ticks changed the busy time of its row."""
    arbiter, clock = site
    assert quiet(arbiter, clock)
    change(arbiter)

    assert (False, True) == tuple(
        sensing.nothing_happened(arbiter, arbiter.autotune, clock.now + later) for later in (0.25, 0.5)
    )


def test_a_connection_that_waits_is_looked_at_at_once(site):
    """Nobody has accepted it: no row tells, the kernel does."""
    arbiter, clock = site
    arbiter.LISTENERS.append(Listener())
    assert quiet(arbiter, clock)
    with socket.create_connection(arbiter.LISTENERS[0].sock.getsockname()):
        waits = sensing.nothing_happened(arbiter, arbiter.autotune, clock.now + 0.25)
        backlog = look(arbiter).listeners[0].backlog

    assert (False, 1) == (waits, backlog)


def test_a_listener_that_cannot_be_read_spares_no_look(site):
    """Missing is not an empty queue."""
    arbiter, clock = site
    arbiter.LISTENERS.append(Listener())
    arbiter.LISTENERS[0].sock.close()

    assert not quiet(arbiter, clock)
    assert isinstance(surroundings.read_listeners(arbiter, arbiter.autotune)[0].backlog, Missing)


def test_a_process_is_opened_once_and_read_from_then_on(site):
    """Our own, which is there."""
    arbiter, _ = site
    tracked = arbiter.autotune.tracked[1]
    tracked.probe = None
    first = sensing._read_process(tracked, os.getpid())
    probe = tracked.probe
    again = sensing._read_process(tracked, os.getpid())
    probe.close()

    assert probe is tracked.probe
    assert [True, True] == [isinstance(read, ProcessReading) for read in (first, again)]
    assert isinstance(probe, ProcessProbe)


def test_a_process_that_is_not_there_is_missing_and_tried_again(site):
    """It may have died a moment ago; nothing is kept of it."""
    arbiter, _ = site
    tracked = arbiter.autotune.tracked[1]
    tracked.probe = None

    assert (True, None) == (isinstance(sensing._read_process(tracked, NO_PROCESS), Missing), tracked.probe)


def test_a_row_that_cannot_be_true_is_told_once_with_its_slot(site):
    """The lowest of them; its figures stop, the worker serves."""
    arbiter, _ = site
    look(arbiter)
    for tracked in arbiter.autotune.tracked.values():
        tracked.row[layout.IN_FLIGHT] = 1 << 40
    look(arbiter)
    look(arbiter)

    assert [f"slot=0 pid={NO_PROCESS + 1}"] == [" ".join(text.split()[-2:]) for text in arbiter.log.lines]


def test_threads_that_read_are_booked_for_no_more_than_is_known_of_them(site):
    """The arbiter was held for 30 s; of four threads the row says only that they have read for a second."""
    arbiter, clock = site
    before = look(arbiter).totals.busy_seconds
    (tracked, _) = arbiter.autotune.tracked.values()
    tracked.row[layout.READING] = 4
    clock.now += 30.0

    assert 4.0 == look(arbiter).totals.busy_seconds - before


@pytest.mark.parametrize(("written", "own"), [(0, None), (1 << 30, 2 * 26 * MIB)])
def test_a_written_limit_has_the_workers_memory_for_its_use_where_the_cgroup_tells_none(monkeypatch, written, own):
    """PSS, so pages that they share count once."""
    with running(monkeypatch, memory_limit_bytes=written) as (arbiter, _):
        for tracked in arbiter.autotune.tracked.values():
            tracked.memory = MemoryReading(pss_bytes=26 * MIB, uss_bytes=20 * MIB)
        found = look(arbiter).host.memory_own_bytes

    assert own == (None if isinstance(found, Missing) else found)
