"""The timing log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn_autotune.nginx.read.timing import percentile, times, timing

LINE = (
    '127.0.0.1 - - [21/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 12 "-" "curl/8" '
    "rt=0.031 uct=0.001 uht=0.030 urt=0.030"
)


def a_line(seconds: float, status: int = 200) -> str:
    """One request that took so long in Gunicorn."""
    return f"::1 status={status} rt={seconds + 0.001:.3f} uct=0.000 uht={seconds:.3f} urt={seconds:.3f}"


def test_line_gives_its_times_and_status() -> None:
    """By their names, in seconds."""
    assert {"status": 200.0, "rt": 0.031, "uct": 0.001, "uht": 0.03, "urt": 0.03} == times(LINE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rt=0.100 urt=0.050, 0.040", {"rt": 0.1, "urt": 0.04}),
        ("rt=0.100 urt=0.050 : 0.030 uct=0.001,0.002", {"rt": 0.1, "urt": 0.03, "uct": 0.002}),
        ("rt=0.000 uct=- uht=- urt=-", {"rt": 0.0}),
        ("rt=0.002 uht=0.001, - urt=0.002", {"rt": 0.002, "urt": 0.002}),
        ("status=502 rt=0.000", {"status": 502.0, "rt": 0.0}),
        ("urt=1.5s xrt=3 rt=", {}),
        ("", {}),
    ],
)
def test_value_may_be_missing_or_a_list(text: str, expected: dict[str, float]) -> None:
    """Of several tries the last one answered."""
    assert expected == times(text)


@pytest.mark.parametrize(
    "line",
    [
        '1.2.3.4 "GET /?q= urt=9.0 HTTP/1.1" 200 1 "-" " urt=9.0 status=599 " rt=0.010 urt=0.009',
        'rt=0.010 urt=0.009 status=200 request="GET / HTTP/1.1" agent=" urt=9.0 status=500 ',
        '1.2.3.4 - urt=9.0 [now] "GET / HTTP/1.1" 200 1 rt=0.010 urt=0.009',
    ],
)
def test_client_cannot_write_its_own_times(line: str) -> None:
    """What it sends stands in quotes, or before the real ones."""
    assert (0.009, 200.0) == (times(line)["urt"], times(line)["status"])


def test_percentiles_go_over_what_gunicorn_answered() -> None:
    """Files that nginx served itself have no upstream time."""
    found = timing([*(a_line(number / 1000) for number in range(1, 101)), '"" 200 rt=0.000 urt=-', "noise"])

    assert found is not None
    assert (100, 0.05, 0.099, 0.1) == (found.requests, found.p50_seconds, found.p99_seconds, found.request_p99_seconds)


def test_failures_count_even_without_an_answer() -> None:
    """A 502 may have reached no Gunicorn at all."""
    found = timing([a_line(0.1), a_line(0.1, 500), '"" 502 157 rt=0.000 urt=-', a_line(0.1, 404)])

    assert found is not None
    assert (3, 2) == (found.requests, found.failed)


@pytest.mark.parametrize("lines", [[], [""], ["rt=0.1 urt=-"], ["\x00\ufffd urt=" + "1," * 5000]])
def test_log_without_requests_has_no_percentiles(lines: list[str]) -> None:
    """None is not zero."""
    assert timing(lines) is None


def test_percentile_is_one_of_the_values() -> None:
    """The nearest rank."""
    assert [1.0, 2.0, 3.0, 3.0] == [percentile([3.0, 1.0, 2.0], share) for share in (0.0, 0.5, 0.99, 1.0)]


@given(st.lists(st.text(st.sampled_from('0123456789.,:- ="urtcsahx\\\x00\u0663'))))
def test_any_line_is_read_without_a_fault(lines: list[str]) -> None:
    """A log holds what clients sent."""
    found = timing(["rt=1 urt=1", *lines])

    assert found is not None
    assert found.requests >= 1
