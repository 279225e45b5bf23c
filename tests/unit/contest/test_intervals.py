"""Intervals over runs, and differences paired by seed."""

import pytest
from benchmarks.contest.intervals import BETTER, EVEN, UNKNOWN, WORSE, Difference, Mean, mean_of, paired, ratio_of_means


def test_the_interval_is_students():
    """Of 1 to 5: t with 4 degrees of freedom times the standard error, 2.776 x 1.5811 / sqrt(5)."""
    one = mean_of([1.0, 2.0, 3.0, 4.0, 5.0])

    assert one.value == 3.0
    assert one.half == pytest.approx(1.963, abs=0.001)


def test_one_run_has_no_interval():
    """It tells nothing about chance."""
    assert Mean(1, 2.0, None) == mean_of([2.0])


def test_no_run_has_no_mean():
    """Nothing is not zero."""
    assert Mean(0) == mean_of([])


def test_runs_that_never_got_there_have_no_mean():
    """The mean of the others would flatter."""
    assert Mean(3, None, None, never=1) == mean_of([1.0, None, 3.0])


def test_a_difference_is_paired_by_seed():
    """Seeds that only one has are left out, and what is common to a pair cancels."""
    one = paired({1: 1.1, 2: 5.2, 3: 9.3, 4: 0.0}, {1: 1.0, 2: 5.0, 3: 9.0, 5: 7.0})

    assert one.pairs == 3
    assert one.value == pytest.approx(0.2)
    assert one.half == pytest.approx(4.303 * 0.1 / 3**0.5, rel=1e-3)


@pytest.mark.parametrize(
    ("difference", "word"),
    [
        (Difference(5, 1.0, 0.9), WORSE),
        (Difference(5, -1.0, 0.9), BETTER),
        (Difference(5, 1.0, 1.1), EVEN),
        (Difference(5, 0.0, 0.0), EVEN),
        (Difference(1, 1.0, None), UNKNOWN),
        (Difference(0), UNKNOWN),
        (Difference(3, mine_never=3, mine_alone=3), WORSE),
        (Difference(3, theirs_never=3, theirs_alone=3), BETTER),
        (Difference(3, mine_never=1, mine_alone=1), EVEN),
        (Difference(10, mine_never=6, mine_alone=6), WORSE),
        (Difference(10, mine_never=5, mine_alone=5), EVEN),
        (Difference(10, mine_never=7, theirs_never=1, mine_alone=7, theirs_alone=1), EVEN),
        (Difference(3, mine_never=3, theirs_never=3), EVEN),
    ],
)
def test_a_word_needs_the_whole_interval(difference, word):
    """Better or worse beyond chance only; never counts when it is all of one side and none of the other."""
    assert word == difference.word


def test_a_ratio_is_of_the_means_over_common_seeds():
    """Seed 3 is theirs alone and does not count."""
    assert ratio_of_means({1: 2.0, 2: 4.0}, {1: 1.0, 2: 2.0, 3: 90.0}) == 2.0


def test_there_is_no_ratio_to_nothing():
    """Nor to what was never reached."""
    assert ratio_of_means({1: 2.0}, {1: 0.0}) is None
    assert ratio_of_means({1: 2.0}, {1: None}) is None
