"""uWSGI's busyness plugin, window by window."""

from benchmarks.simulation.peers.running_times import RunningTimes
from benchmarks.simulation.peers.uwsgi import Busyness

from gunicorn_autotune.testing import a_snapshot, a_worker

BUSY, IDLE = 1, 0


def shown(plugin: Busyness, seconds: range, workers: int, *, state: int = IDLE, rate: float = 0.0, backlog: int = 0):
    """The targets of some seconds: `workers` all idle or all busy, each gaining `rate` running seconds a second."""
    found = []
    for second in seconds:
        for part in (0.25, 0.5, 0.75, 1.0):
            at = second + part
            done = int(at * 20) if rate else 0
            crew = tuple(a_worker(slot, in_flight=state, requests=done) for slot in range(workers))
            target = plugin(a_snapshot(at, workers=crew, service_seconds=workers * rate * at, backlog=backlog))
        found.append(target)
    return found


def test_a_worker_that_was_busy_and_finished_nothing_counts_as_fully_busy():
    """Delta 0 of a busy worker is 100 %, not 0: long requests do scale up."""
    assert [2, 2, 3] == shown(Busyness(), range(3), 2, state=BUSY)


def test_an_idle_worker_counts_as_nothing():
    """Delta 0 of a worker never seen busy stays 0 %."""
    assert [2, 2, 2] == shown(Busyness(), range(3), 2)


def test_one_worker_is_added_for_each_window_above_half_busy():
    """60 % busy: +1 after 3 s, and no more before the next window ends."""
    assert [4, 4, 5, 4, 4, 5] == shown(Busyness(), range(6), 4, state=BUSY, rate=0.6)


def test_a_worker_leaves_after_ten_quiet_windows():
    """cheaper-busyness-multiplier 10 x cheaper-overload 3 s."""
    plugin = Busyness()

    assert {6} == set(shown(plugin, range(29), 6))
    assert [5] == shown(plugin, range(29, 30), 6)


def test_a_backlog_above_thirty_three_starts_an_emergency_worker_every_second():
    """It does not wait for the window to end."""
    plugin = Busyness()

    assert [5, 5] == shown(plugin, range(2), 4, state=BUSY, rate=0.4, backlog=34)
    assert 2 == plugin.emergency


def test_emergency_workers_leave_sooner():
    """While there are some the timer is 3 x 3 s."""
    plugin = Busyness()
    shown(plugin, range(2), 4, state=BUSY, rate=0.4, backlog=34)

    found = shown(plugin, range(2, 12), 6)

    assert 5 in found


def test_a_backlog_that_never_empties_for_a_minute_starts_one_worker():
    """cheaper-busyness-backlog-nonzero 60: rises even where busyness does not tell."""
    found = shown(Busyness(), range(64), 4, state=BUSY, rate=0.4, backlog=1)

    assert {4} == set(found[:60])
    assert 5 in found[60:]


def test_respawning_too_soon_lengthens_the_next_hold():
    """A grow within multiplier windows of a shrink adds the penalty of 2."""
    plugin = Busyness()
    shown(plugin, range(30), 6)
    shown(plugin, range(30, 33), 5, state=BUSY)

    assert 12 == plugin.multiplier


def test_running_times_share_the_exact_sum_by_requests():
    """Short requests: 3 of 4 finished ones are three quarters of the time."""
    times = RunningTimes()
    times.add(a_snapshot(0.25, workers=(a_worker(0), a_worker(1))))
    times.add(a_snapshot(0.5, workers=(a_worker(0, requests=3), a_worker(1, requests=1)), service_seconds=0.2))

    assert {1000: 0.15, 1001: 0.05} == {pid: round(value, 6) for pid, value in times.seconds.items()}


def test_running_times_give_a_long_request_its_age():
    """A request of 2 s ended beside many short ones: it is not spread over them."""
    times = RunningTimes()
    for step in range(1, 9):
        crew = (a_worker(0, in_flight=1), a_worker(1, requests=step))
        times.add(a_snapshot(0.25 * step, workers=crew, service_seconds=0.01 * step))
    crew = (a_worker(0, requests=1), a_worker(1, requests=9))
    times.add(a_snapshot(2.25, workers=crew, service_seconds=0.09 + 2.0))

    assert 1.7 < times.seconds[1000] <= 2.01
    assert times.seconds[1001] < 0.4
