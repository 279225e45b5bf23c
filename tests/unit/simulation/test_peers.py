"""Each peer does what its source says, on snapshots made by hand."""

from collections.abc import Sequence

import pytest
from benchmarks.simulation.peers import CONTENDERS, OURS, PEERS
from benchmarks.simulation.peers.apache import Prefork
from benchmarks.simulation.peers.boot_limit import BootLimited
from benchmarks.simulation.peers.knative import KnativePodAutoscaler
from benchmarks.simulation.peers.queue_steps import QueueSteps
from benchmarks.simulation.peers.square_root import SquareRoot
from benchmarks.simulation.peers.static import rule_of_thumb, static

from gunicorn_autotune.model.decisions import Decision
from gunicorn_autotune.model.snapshot import QUEUE_TIME_BOUNDS_SECONDS, Snapshot, WorkerState
from gunicorn_autotune.testing import Controller, Machine, a_snapshot, a_worker, some_workers

TICKS = (0.25, 0.5, 0.75, 1.0)


def seconds(controller: Controller, first: int, count: int, **fields) -> list[int]:
    """The target after each of `count` seconds from `first` on, four snapshots each; busy_seconds grows by busy."""
    busy, found = fields.pop("busy", 0.0), []
    for second in range(first, first + count):
        for part in TICKS:
            at = second + part
            answer = controller(a_snapshot(at, busy_seconds=busy * at, **fields))
        found.append(answer.target if isinstance(answer, Decision) else answer)
    return found


def late_counts(late: int, prompt: int) -> tuple[int, ...]:
    """Queue-time buckets with `prompt` requests below 1 ms and `late` above a minute."""
    return (prompt, *(0 for _ in QUEUE_TIME_BOUNDS_SECONDS[1:]), late)


def test_apache_doubles_its_spawn_rate_while_fewer_than_five_are_idle():
    """1, 2, 4, 8 children a second; the rate starts again once enough are idle."""
    prefork = Prefork()

    assert [5, 6, 8, 12] == [seconds(prefork, n, 1, workers=4, in_flight=4)[0] for n in range(4)]
    seconds(prefork, 4, 1, workers=12, in_flight=6)
    assert 1 == prefork.spawn_rate


def test_apache_never_spawns_more_than_thirty_two_at_once():
    """MAX_SPAWN_RATE."""
    prefork = Prefork()
    seconds(prefork, 0, 8, workers=2, in_flight=2)

    assert 32 == prefork.spawn_rate


def test_apache_counts_a_starting_child_as_idle():
    """Five children that boot are spare enough, however busy the others."""
    assert [7] == seconds(Prefork(), 0, 1, workers=7, ready=2, in_flight=2)


def test_apache_ends_one_child_a_second_above_ten_idle():
    """MaxSpareServers is left slowly."""
    assert [19] == seconds(Prefork(), 0, 1, workers=20)


@pytest.mark.parametrize("name", [OURS, *PEERS])
def test_every_controller_keeps_within_two_and_sixty_four(name):
    """Whatever it is shown, the comparison has one pair of bounds."""
    from benchmarks.simulation.workloads import named

    controller, _ = CONTENDERS[name].make(named("io-step", 1))
    full = seconds(controller, 0, 8, workers=64, in_flight=64, backlog=900, busy=64.0)
    empty = seconds(controller, 8, 8, workers=2)

    assert all(2 <= count <= 64 for count in full + empty)


def test_knative_wants_what_the_stable_window_saw_over_the_target():
    """7 requests at once at a target of 0.7 are 10 pods."""
    autoscaler = KnativePodAutoscaler()

    assert 10 == seconds(autoscaler, 0, 70, workers=9, in_flight=7, busy=7.0)[-1]


def test_knative_looks_every_two_seconds():
    """Its tick: in the seconds between nothing changes."""
    autoscaler = KnativePodAutoscaler()
    seconds(autoscaler, 0, 2, workers=4, in_flight=4, busy=4.0)
    before = autoscaler.wish

    assert [before] == seconds(autoscaler, 2, 1, workers=4, in_flight=4, backlog=500, busy=4.0)


def test_knative_never_shrinks_in_panic():
    """What the panic window once wanted is kept for 60 s, though the load is gone."""
    autoscaler = KnativePodAutoscaler()
    peak = seconds(autoscaler, 0, 6, workers=4, in_flight=4, backlog=20, busy=4.0)[-1]
    later = seconds(autoscaler, 6, 40, workers=peak, busy=0.0)

    assert peak > 20
    assert {peak} == set(later)


def test_knative_leaves_panic_and_shrinks_after_a_calm_minute():
    """60 s after the last crossing the stable window decides, by half at most."""
    autoscaler = KnativePodAutoscaler()
    peak = seconds(autoscaler, 0, 6, workers=4, in_flight=4, backlog=20)[-1]
    later = seconds(autoscaler, 6, 70, workers=peak)

    assert autoscaler.panic_at is None
    assert peak // 2 == later[-1]


def test_the_boot_limit_lets_cores_boot_one_worker_a_second_each():
    """Two idle cores and boots of one CPU second: two boots now, none while two are on their way."""
    greedy: Controller = lambda _: 40  # noqa: E731
    limited = BootLimited(greedy)

    assert [6] == seconds(limited, 0, 1, workers=4)
    assert [6] == seconds(limited, 1, 1, workers=6, ready=4)


def test_the_boot_limit_keeps_half_the_cores_for_boots():
    """Cores busy with requests still boot one of two at a time."""
    limited = BootLimited(lambda _: 40)
    for at in TICKS:
        target = limited(a_snapshot(at, workers=4, cpu_seconds=2.0 * at))

    assert 5 == target


def test_square_root_staffing_adds_two_roots_of_the_busy_workers():
    """9 busy are 9 + 2 * 3."""
    assert 15 == seconds(SquareRoot(), 0, 4, workers=20, in_flight=9, busy=9.0)[-1]


def test_square_root_staffing_keeps_its_maximum_for_five_minutes():
    """Then only what is busy now counts."""
    rule = SquareRoot()
    seconds(rule, 0, 4, workers=20, in_flight=9, busy=9.0)

    held = [rule(a_snapshot(at, workers=15, busy_seconds=36.0)) for at in range(5, 320)]

    assert 15 == held[250]
    assert 2 == held[-1]


def test_queue_steps_adds_one_worker_every_ten_seconds():
    """One request in ten waited: +1, and nothing more before ten seconds are over."""
    rule = QueueSteps()
    counts = late_counts(late=1, prompt=9)

    assert [2] * 9 + [3] == seconds(rule, 0, 10, workers=2, queue_time_counts=counts)
    assert [3] * 9 == seconds(rule, 10, 9, workers=3, queue_time_counts=late_counts(late=9, prompt=9))


def test_queue_steps_waits_ten_calm_minutes_to_shrink():
    """-1, then ten minutes again."""
    rule = QueueSteps()

    found = seconds(rule, 0, 605, workers=5)

    assert [5, 4] == [found[598], found[-1]]


def test_a_static_count_stays():
    """2K + 1 whatever the load."""
    assert 5 == rule_of_thumb(Machine(cores=2.0))
    assert {5} == set(seconds(static(5), 0, 5, workers=5, in_flight=5, backlog=100))


def workers_with(rows: Sequence[tuple[int, int]]) -> tuple:
    """Ready workers, (in flight, finished) each."""
    return tuple(a_worker(slot, in_flight=busy, requests=done) for slot, (busy, done) in enumerate(rows))


def snapshot_with(at: float, rows: Sequence[tuple[int, int]], service_seconds: float, backlog: int = 0) -> Snapshot:
    """Workers as in `rows`; their finished requests took `service_seconds` together."""
    return a_snapshot(at, workers=workers_with(rows), service_seconds=service_seconds, backlog=backlog)


def test_hand_made_workers_are_busy_when_they_have_requests():
    """The builders the tests of uWSGI rest on."""
    found = [worker.state for worker in (*workers_with([(1, 0), (0, 3)]), *some_workers(1, booting=1)[1:])]

    assert [WorkerState.BUSY, WorkerState.IDLE, WorkerState.BOOTING] == found
