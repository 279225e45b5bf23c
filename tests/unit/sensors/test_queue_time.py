"""X-Request-Start in all its dialects, and everything that is none of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn_autotune.sensors.queue_time import queue_seconds

NOW = 1_700_000_000.5
FULLWIDTH = "1700000000".translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
ARABIC = "1700000000".translate({ord("0") + digit: 0x660 + digit for digit in range(10)})


@pytest.mark.parametrize(
    "header",
    ["t=1700000000.250", "1700000000.250", "1700000000250", "t=1700000000250", "1700000000250000",
     "t=1700000000250000", "1700000000250000000", b"t=1700000000.250", b"1700000000250"],
)  # fmt: skip
def test_seconds_milliseconds_microseconds_and_nanoseconds_are_told_by_size(header):
    """Nginx, Heroku, Apache and HAProxy each send another unit; all mean the same instant."""
    assert queue_seconds(header, NOW) == pytest.approx(0.25, abs=1e-6)


def test_whole_seconds_count():
    """A proxy with a coarse clock is still a clock."""
    assert queue_seconds("t=1700000000", NOW) == 0.5


@pytest.mark.parametrize(
    ("header", "expected"),
    [("t=1700000000.504", 0.0), ("t=1700000000.506", None), ("t=1699999940.500", 60.0), ("t=1699999940.499", None)],
)
def test_future_and_old_starts_are_dropped_beyond_their_bounds(header, expected):
    """5 ms of skew is no wait at all; more than that, or more than 60 s ago, is not believed."""
    assert expected == queue_seconds(header, NOW)


@pytest.mark.parametrize(
    "header",
    ["", "t=", "t=t=1", "nan", "t=nan", "inf", "-inf", "1e999", "t=1e999", "9" * 32, "9" * 100_000, "t=" + "9" * 30,
     "-1700000000.25", FULLWIDTH, "t=" + FULLWIDTH, ARABIC, "1.7.0", "0x65", "\x00", "t=1700000000.25, t=1700000000.2",
     b"\xff\xfe", b"", b"t=\xb2"],
)  # fmt: skip
def test_garbage_is_none(header):
    """Whatever is no number of the last minute is dropped."""
    assert queue_seconds(header, NOW) is None


HEADERS = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40),
    st.text(
        alphabet="t=0123456789.eE+-_naif \N{ARABIC-INDIC DIGIT THREE}\N{FULLWIDTH DIGIT ONE}\N{SUPERSCRIPT TWO}",
        max_size=40,
    ),
    st.floats().map(str),
    st.integers(0, 10**25).map("t={}".format),
    st.floats(min_value=1.69e9, max_value=1.71e9).map("t={:.3f}".format),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(HEADERS, min_size=20, max_size=20), st.one_of(st.just(NOW), st.floats()))
def test_no_string_raises_or_leaves_the_bounds(headers, now):
    """10,000 strings: each gives None or a wait of 0 to 60 s."""
    for header in headers:
        waited = queue_seconds(header, now)
        assert waited is None or 0.0 <= waited <= 60.0
