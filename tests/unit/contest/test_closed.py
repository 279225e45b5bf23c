"""Locust's JSON becomes figures, and what is not Locust's JSON one line."""

import json
import sys

import pytest
from benchmarks.contest import closed as closed_loop
from benchmarks.contest.closed import NotMeasuredError, closed, command, figures
from benchmarks.contest.contenders import MissingError
from benchmarks.contest.workloads import WORKLOADS, shortened

PRINTED = """\
[
    {
        "name": "/",
        "method": "GET",
        "last_request_timestamp": 1795302871.0249798,
        "start_time": 1795302864.1301923,
        "num_requests": 29,
        "num_none_requests": 0,
        "num_failures": 0,
        "total_response_time": 1515.6609089972335,
        "max_response_time": 414.8471599983168,
        "min_response_time": 24.064570003247354,
        "total_content_length": 87,
        "response_times": {
            "28": 3,
            "25": 8,
            "26": 5,
            "24": 9,
            "30": 1,
            "27": 1,
            "410": 2
        },
        "num_reqs_per_sec": {
            "1795302864": 2,
            "1795302865": 3,
            "1795302866": 6,
            "1795302867": 5,
            "1795302868": 1,
            "1795302869": 6,
            "1795302870": 5,
            "1795302871": 1
        },
        "num_fail_per_sec": {}
    }
]
"""
"""By `locust --json`, 2.47.0: the mixed trace cut to 4 s and a peak of 4 requests/s. Its table said p95 = 410 ms."""
ROWS = (
    {"num_requests": 3, "num_failures": 1, "response_times": {"10": 3}, "start_time": 1, "last_request_timestamp": 2},
    {"num_requests": 1, "num_failures": 1, "response_times": {"90": 1}, "start_time": 2, "last_request_timestamp": 5},
)


def test_a_printed_run_becomes_figures() -> None:
    """Counts as printed, percentiles of the rounded answers, the rate from the first to the last."""
    assert figures(PRINTED) == {
        "requests": 29,
        "failed": 0,
        "p50_seconds": 0.025,
        "p95_seconds": 0.41,
        "p99_seconds": 0.41,
        "requests_per_second": 4.21,
    }


def test_all_rows_count() -> None:
    """Locust prints a row for each path; the figures are of all."""
    found = figures(json.dumps(ROWS))

    assert (found["requests"], found["failed"], found["p99_seconds"], found["requests_per_second"]) == (4, 2, 0.09, 1.0)


@pytest.mark.parametrize("printed", ["", "[]", "{}", "null", "Traceback", '[{"num_requests": 1}]', "[1]"])
def test_what_is_not_a_run_is_refused_in_a_line(printed: str) -> None:
    """No figure is made up, and the line shows what came."""
    with pytest.raises(NotMeasuredError, match=r"^no figures in what `locust --json` printed: .*$"):
        figures(printed)


def test_without_locust_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line says what to install."""
    monkeypatch.setattr(closed_loop, "find_spec", lambda name: None)

    with pytest.raises(MissingError, match="pip install 'locust"):
        closed(WORKLOADS["io"], 1, seed=1)


def test_the_shortened_workload_is_played_short() -> None:
    """Locust plays what the open loop played in a quick run."""
    assert "--short" in command(shortened(WORKLOADS["step"]), 8000, seed=1)


def test_locust_is_not_imported_here() -> None:
    """Importing it would patch this process for gevent."""
    assert "locust" not in sys.modules
