"""A service time that calm has taught by few requests: what pressure shows has a say beside it."""

from __future__ import annotations

import pytest

from gunicorn_autotune.law.service import Service, beside
from gunicorn_autotune.law.spans import Span
from gunicorn_autotune.model.history import Learned

QUICK = Service(0.02, 0.5)


def calm(finished: float) -> Learned:
    """So many quick requests."""
    return Learned(finished=finished, useful_seconds=0.02 * finished)


def pressed(completions: float, seconds_each: float, useful: bool = True) -> Span:
    """A second of pressure."""
    return Span(
        seconds=1.0, busy=4.0, useful=completions * seconds_each if useful else None, cpu=None, load=4.0, boot_cpu=0.0,
        started=completions, finished=completions, arrived=completions, drained=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(("completions", "expected"), [(20, 0.06), (40, 0.06), (10, 0.02 + 0.08 / 3)])
def test_pressure_has_at_most_half_of_the_say(completions: float, expected: float) -> None:
    """20 calm requests of 20 ms beside pressed ones of 100 ms: each takes one, further ones count no more."""
    found = beside(calm(20), QUICK, pressed(completions, 0.1))
    assert found.seconds == pytest.approx(expected)


def test_before_calm_has_taught_anything_the_least_mean_counts_as_twenty() -> None:
    """A start into rising traffic has no calm at all."""
    assert beside(calm(0), QUICK, pressed(40, 0.1)).seconds == pytest.approx(0.06)


def test_what_two_hundred_calm_requests_taught_stands_alone() -> None:
    """Service times grow by themselves under pressure: believed, they would climb for ever."""
    assert beside(calm(200), QUICK, pressed(100, 1.0)) == QUICK


def test_pressure_never_lowers_a_service_time() -> None:
    """The quick requests finish first: that says nothing of the others."""
    assert beside(calm(20), QUICK, pressed(40, 0.001)) == QUICK


@pytest.mark.parametrize("run", [pressed(9, 0.5), pressed(40, 0.5, useful=False)])
def test_what_is_too_little_or_not_known_has_no_say(run: Span) -> None:
    """Fewer than ten completions, or a worker class whose useful time cannot be told."""
    assert beside(calm(20), QUICK, run) == QUICK
