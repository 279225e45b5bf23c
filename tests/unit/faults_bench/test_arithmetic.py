"""The fault benchmark's figures: slopes, ready workers, what counts as failed."""

import math
from collections import Counter

import pytest
from benchmarks.faults.arithmetic import (
    Slope,
    answered,
    differences,
    events_of,
    is_post,
    lowest_of,
    lowest_up,
    slope,
    timeline,
    warm,
)
from benchmarks.openloop import Request
from benchmarks.openloop.connection import KEPT


def a_request(status=200, error=None, latency=0.02, at=0.0):
    """One that was answered, unless told otherwise."""
    return Request(at, 0.001, latency, None if error else status, error)


def test_a_straight_line_has_its_slope_and_no_error():
    """10 more in each hour."""
    found = slope([(0, 100), (1800, 105), (3600, 110), (5400, 115)])

    assert found.per_hour == pytest.approx(10)
    assert found.error_per_hour == pytest.approx(0, abs=1e-9)
    assert not found.flat


def test_noise_without_a_trend_is_flat():
    """The slope lies within two standard errors."""
    found = slope([(at * 10, 100 + (-1) ** at) for at in range(100)])

    assert found.flat
    assert abs(found.per_hour) <= 2 * found.error_per_hour


@pytest.mark.parametrize(
    ("points", "known"),
    [
        ([], False),
        ([(0, 1), (1, 2)], False),
        ([(5, 1), (5, 2), (5, 3)], False),
        ([(0, None), (1, 1), (2, None), (3, 2)], False),
        ([(0, 1), (1, math.nan), (2, math.inf), (3, 2)], False),
        ([(0, None), (1, 1), (2, 1), (3, 1)], True),
    ],
)
def test_too_little_makes_no_slope(points, known):
    """Fewer than three values, or one moment only; holes and infinities are no values."""
    assert (slope(points) is not None) == known


@pytest.mark.parametrize(
    ("found", "flat"),
    [
        (Slope(0.0, 0.0, 0.0), True),
        (Slope(0.0, 0.0, 7.0), True),
        (Slope(1.0, 0.0, 0.0), False),
        (Slope(1.0, 0.51, 0.0), True),
        (Slope(-1.0, 0.4, 1.0), False),
        (Slope(1.0, 0.0, 2401.0), True),
        (Slope(1.0, 0.0, 2399.0), False),
    ],
)
def test_flat_is_within_two_errors_or_below_one_percent_a_day(found, flat):
    """Either is enough; a constant is flat."""
    assert found.flat == flat


def test_a_figure_beside_is_held_equal():
    """Files that follow the number of workers do not grow, those that grow beside it do."""
    workers = [2, 8, 5, 16, 3, 11, 4, 7]
    follows = [(at * 600, 10 + 3 * count) for at, count in enumerate(workers)]
    grows = [(seconds, value + seconds / 600) for seconds, value in follows]

    assert slope(follows, workers).per_hour == pytest.approx(0, abs=1e-9)
    assert slope(grows, workers).per_hour == pytest.approx(6)
    assert slope(grows, [4] * 8).per_hour == pytest.approx(slope(grows).per_hour)
    assert slope(grows, list(range(8))) is None
    assert slope(grows[:3], workers[:3]) is None


def test_the_first_third_is_left_out():
    """It warms up."""
    assert [point[0] for point in warm([(at, 1) for at in range(0, 91, 10)])] == [30, 40, 50, 60, 70, 80, 90]
    assert warm([]) == []
    assert warm([(5, 1)]) == [(5, 1)]


def test_a_line_cut_short_is_no_event():
    """Its writer was killed in the middle; nonsense is left out too."""
    text = "2.0 down 12\n1.0 up 12\nnonsense\n3.0 gone 12\n4.0 up 1"

    assert events_of(text) == [(1.0, "up", 12), (2.0, "down", 12)]


def test_the_fewest_workers_up_are_counted_from_begin_to_end():
    """What was before counts at the begin; what comes after does not; a second word of the same death is nothing."""
    events = [
        (1, "up", 1),
        (2, "up", 2),
        (5, "down", 1),
        (5.1, "down", 1),
        (6, "up", 3),
        (9, "down", 2),
        (9.1, "down", 3),
    ]

    assert lowest_up(events, 3, 8) == 1
    assert lowest_up(events, 3, 4) == 2
    assert lowest_up(events, 0, 20) == 0
    assert lowest_up(events, 6.5, 8) == 2
    assert lowest_up([], 0, 8) is None
    assert lowest_of(None, 3, 2) == 2
    assert lowest_of(None) is None


def test_failed_is_whatever_has_no_2xx():
    """A redirect is not what was asked for either."""
    requests = [a_request(), a_request(204), a_request(302), a_request(503), a_request(error="reset")]

    found = answered(requests, None)

    assert (found["requests"], found["failed"]) == (5, 3)
    assert found["failed_by_kind"] == {"status 302": 1, "status 503": 1, "reset": 1}
    assert (found["reached_twice"], found["examples"][0]["reached_the_app"]) == (None, None)


def test_only_a_get_that_the_app_never_saw_may_be_sent_again():
    """POSTs (odd numbers here), requests that reached the app, and resets of fresh connections are failed."""
    cut = [a_request(error="reset" + KEPT) for _ in range(4)] + [a_request(error="reset")]

    found = answered(cut, Counter({2: 1}), posts_every=2)

    assert (found["send_again"], found["failed"], found["failed_posts"]) == (1, 4, 2)
    assert [one["method"] for one in found["examples"]] == ["POST", "GET", "POST", "GET"]


def test_without_the_apps_word_everything_counts_as_failed():
    """Nobody knows whether it was seen."""
    assert answered([a_request(error="reset" + KEPT)], None)["failed"] == 1


def test_nothing_answered_has_no_percentile():
    """None, not zero."""
    found = answered([a_request(error="refused")] * 3, Counter())

    assert (found["p50_seconds"], found["p99_seconds"], found["failed"]) == (None, None, 3)
    assert answered([], Counter())["requests"] == 0


def test_percentiles_are_of_the_answered_by_nearest_rank():
    """Of 100 answers the 99th is p99."""
    found = answered([a_request(latency=number / 1000) for number in range(1, 101)], None)

    assert (found["p50_seconds"], found["p99_seconds"], found["max_seconds"]) == (0.05, 0.099, 0.1)


def test_a_number_seen_twice_was_sent_twice_by_somebody_between():
    """A proxy that tries again."""
    assert answered([a_request()] * 3, Counter({0: 2, 1: 1}))["reached_twice"] == 1


def test_every_nth_request_is_a_post():
    """None when there shall be none."""
    assert [is_post(number, 2) for number in range(4)] == [False, True, False, True]
    assert not any(is_post(number, 0) for number in range(4))


def test_counters_are_told_as_what_came_since():
    """Zeros left out."""
    assert differences({"a": 3, "b": 1}, {"a": 5, "b": 1, "c": 2}) == {"a": 2, "c": 2}


def test_the_timeline_has_the_worst_of_each_second():
    """Largest memory, fewest ready; looks outside the load and holes are left out."""
    looks = [
        {"at": 9.0, "ready": 1, "memory_bytes": 2**20},
        {"at": 10.0, "ready": 4, "memory_bytes": 3 * 2**20},
        {"at": 10.9, "ready": None, "memory_bytes": 5 * 2**20},
        {"at": 11.0, "ready": None, "memory_bytes": None},
        {"at": 12.0, "ready": 2},
    ]

    assert timeline(looks, 10.0, 2.0) == [[0, 5.0, 4], [1, None, None]]
