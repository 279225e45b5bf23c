"""The written `workers` and our bounds, as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gunicorn_autotune.model.intent import intent, within
from gunicorn_autotune.model.policy import Policy, policy_from

AUTOMATIC = 40


def meant(workers: int | None, **settings: object):
    """What is meant by `settings` beside `workers`."""
    return intent(policy_from(settings, {}), settings, workers, AUTOMATIC)


def bounds(workers: int | None, **settings: object) -> tuple[int, int]:
    """(min_workers, max_workers) in force."""
    found = meant(workers, **settings).policy
    return found.min_workers, found.max_workers


def test_what_is_not_written_is_ours_to_choose() -> None:
    """Gunicorn's default of one starts min_workers, and nothing is said."""
    assert (meant(None).policy, meant(None).said) == (Policy(), ())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (1, 1)),
        ({"max_workers": 8}, (1, 8)),
        ({"min_workers": 1}, (1, 0)),
        ({"min_workers": 3}, (3, 0)),
        ({"min_workers": 2, "max_workers": 8}, (2, 8)),
    ],
)
def test_one_stays_one_until_a_bound_is_written(settings: dict[str, int], expected: tuple[int, int]) -> None:
    """A bound of theirs allows more; a default of ours does not."""
    assert bounds(1, **settings) == expected


def test_one_alone_is_never_two_for_a_moment() -> None:
    """Its recycle is left to Gunicorn, which starts no second process beside it; unless they wrote otherwise."""
    alone, theirs = meant(1).policy, meant(1, recycle_surge="on", max_requests_owner="autotune").policy

    assert (alone.recycle_surge, alone.max_requests_owner) == ("off", "gunicorn")
    assert (theirs.recycle_surge, theirs.max_requests_owner) == ("on", "autotune")


@pytest.mark.parametrize(
    ("workers", "settings", "expected", "said"),
    [
        (64, {}, (2, 64), "max_workers is 64, not the automatic 40: workers = 64 is written"),
        (40, {}, (2, 0), ""),
        (64, {"max_workers": 8}, (2, 8), "8 workers are started, not the written workers = 64: max_workers = 8"),
        (2, {"min_workers": 4}, (4, 0), "4 workers are started, not the written workers = 2: min_workers = 4"),
        (0, {}, (2, 0), "2 workers are started, not the written workers = 0: min_workers = 2"),
        (9000, {}, (2, 4096), "max_workers is 4096"),
    ],
)
def test_every_difference_is_said(workers: int, settings: dict[str, int], expected: tuple[int, int], said: str) -> None:
    """A sentence for each, and none where there is none."""
    found = meant(workers, **settings)

    assert (found.policy.min_workers, found.policy.max_workers) == expected
    assert said in " ".join(found.said) and bool(found.said) == bool(said)


@given(st.integers(1, 4096))
def test_without_bounds_of_theirs_the_written_number_is_what_starts(workers: int) -> None:
    """Whatever the host would choose by itself."""
    policy = meant(workers).policy
    in_force = policy if policy.max_workers else policy_from({"max_workers": AUTOMATIC}, {})

    assert within(in_force, workers) == workers
