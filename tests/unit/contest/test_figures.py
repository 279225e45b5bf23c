"""What a run is worth: the arithmetic between what was seen and what is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from benchmarks.contest.figures import Seen, figures, moves, series, why_invalid
from benchmarks.openloop import Request

BEGAN = 100.0


def a_request(at: float, seconds: float, error: str | None = None, late: float = 0.0) -> Request:
    """Answered after `seconds`, or failed then."""
    return Request(at, late, seconds, None if error else 200, error)


def looks(*counts: int, pss_bytes: int | None = None) -> list[dict[str, Any]]:
    """One a second from the beginning."""
    memory = {} if pss_bytes is None else {"pss_bytes": pss_bytes}
    return [{"at": BEGAN + second, "workers": count, **memory} for second, count in enumerate(counts)]


A_RUN = Seen(
    answers=[a_request(0.0, 0.1), a_request(1.0, 0.16), a_request(2.0, 0.4), a_request(3.0, 5.0, "timeout")],
    own_seconds=[0.1, 0.1, 0.1, 0.1],
    looks=looks(2, 2, 4, 4, pss_bytes=10**9),
    began=BEGAN,
    seconds=4.0,
    step_at=None,
    cpu_seconds=0.6,
    oom_kills=0,
    others_cores=0.01,
)


@pytest.mark.parametrize(("bound", "share"), [("late_50_share", 0.75), ("late_250_share", 0.5)])
def test_late_counts_from_a_requests_own_work_and_failures_are_late(bound: str, share: float) -> None:
    """A request of 100 ms that took 160 is late by more than 50 ms, and one that failed is late by any bound."""
    assert figures(A_RUN)[bound] == share


def test_a_failed_request_makes_the_highest_percentile_endless() -> None:
    """One failure in four: p50 is a number, p95 is never."""
    found = figures(A_RUN)
    assert (found["p50_seconds"], found["p95_seconds"]) == (0.16, None)


def test_throughput_counts_good_answers_before_the_load_ended() -> None:
    """An answer after the end of the load is no throughput, neither is a failure."""
    late = replace(A_RUN, answers=[*A_RUN.answers[:2], a_request(3.9, 0.2), a_request(3.0, 5.0, "timeout")])
    assert figures(late)["throughput"] == 0.5


def test_workers_and_memory_are_added_up_over_the_load() -> None:
    """Two seconds of two workers and two of four are twelve worker-seconds; one GB for four seconds is four."""
    found = figures(A_RUN)
    assert (found["worker_seconds"], found["gb_seconds"], found["most_workers"]) == (12.0, 4.0, 4)


def test_looks_outside_the_load_do_not_count() -> None:
    """What the server did before the first request and while it drained is left out."""
    outside = [{"at": BEGAN - 1, "workers": 50}, *A_RUN.looks, {"at": BEGAN + 5, "workers": 50}]
    assert figures(replace(A_RUN, looks=outside))["most_workers"] == 4


def test_a_run_that_nobody_looked_at_is_an_error() -> None:
    """A watcher that died must not become a server without workers."""
    with pytest.raises(ValueError, match="nobody looked"):
        figures(replace(A_RUN, looks=[]))


def test_cpu_is_for_each_answered_request() -> None:
    """0.6 s of CPU for three answers."""
    assert figures(A_RUN)["cpu_seconds_per_request"] == pytest.approx(0.2)


def test_time_to_capacity_is_there_only_where_the_load_steps() -> None:
    """No step, no such figure; with one, and a failure at the end, never."""
    assert "back_seconds" not in figures(A_RUN)
    assert figures(replace(A_RUN, step_at=1.0))["back_seconds"] is None


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((2, 2, 2), (0, 0)),
        ((2, 4, 8, 8), (1, 0)),
        ((2, 4, 4, 8), (2, 0)),
        ((2, 4, 4, 3), (2, 1)),
        ((2, 4, 3, 3, 4), (3, 2)),
    ],
)
def test_changes_in_a_row_one_way_are_one_action(counts: tuple[int, ...], expected: tuple[int, int]) -> None:
    """(actions, reversals) as seen from outside, once a second."""
    assert moves(list(enumerate(counts))) == expected


def test_an_action_the_other_way_is_a_reversal_only_within_a_minute() -> None:
    """Shrinking two minutes after growing is no change of mind."""
    assert moves([(0, 2), (1, 4), (2, 4), (121, 4), (122, 3)]) == (2, 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"late_sent_share": 0.02}, "late with 2.0% of the requests"),
        ({"others_cores": 0.5}, "others used 0.50 cores"),
    ],
)
def test_a_spoilt_run_says_what_spoilt_it(change: dict[str, float], said: str) -> None:
    """The generator's own lateness and foreign work make a run invalid, nothing else does."""
    assert said in why_invalid(figures(A_RUN) | change)
    assert bool(why_invalid(figures(A_RUN) | change)) == bool(said)


def test_the_series_keeps_changes_of_the_count_only() -> None:
    """Four looks with one change are two points."""
    found = series(A_RUN, [(0.0, 10.0)])
    assert found["workers"] == [[0.0, 2], [2.0, 4]]
    assert [row["failed"] for row in found["per_second"]] == [0, 0, 0, 1]
