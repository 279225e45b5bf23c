"""A CPU quota that is used up, by whomever, is a full CPU."""

from dataclasses import replace

import pytest

from gunicorn_autotune.law.cores import used_up
from gunicorn_autotune.law.spans import between, mark_of
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.testing import a_host, a_snapshot


def span(before, now, seconds=3.0, **fields):
    """What lies between two readings of the quota's counters."""
    host = replace(a_host(cpu_full_seconds=before), read_at=100.0)
    older = mark_of(a_snapshot(100.0, host=host), 0.0, 2)
    later = replace(a_host(cpu_full_seconds=now), read_at=100.0 + seconds)
    return replace(between(older, mark_of(a_snapshot(103.0, host=later), 0.0, 2)), **{"cpu": 0.1} | fields)


@pytest.mark.parametrize(("full_seconds", "full"), [(2.69, False), (2.71, True), (3.0, True)])
def test_nine_periods_in_ten_make_a_full_quota(full_seconds, full):
    """Whoever runs out in 90 % of the periods has used 90 % of the quota; our workers use 5 % of the cores here."""
    assert full == used_up(2.0, span((7.0,), (7.0 + full_seconds,)))


def test_the_level_that_is_full_the_most_counts_and_no_sum():
    """A pod and its only container run out in the same periods: 50 % twice is not full, 100 % at either is."""
    half = span((1.0, 5.0), (2.5, 6.5))
    full = span((1.0, 5.0), (1.0, 8.0))

    assert (half.quota_full, full.quota_full) == (0.5, 1.0)


def test_the_share_is_of_the_time_between_the_readings():
    """The host is read once a second: what lies between two looks may be more or less than between the readings."""
    assert span((0.0,), (2.0,), seconds=4.0).quota_full == 0.5


@pytest.mark.parametrize(
    ("before", "now", "seconds"),
    [(Missing("gone"), (1.0,), 3.0), ((1.0,), Missing("gone"), 3.0), ((1.0,), (1.0, 9.0), 3.0), ((1.0,), (4.0,), 0.0)],
)
def test_what_was_not_read_twice_at_the_same_levels_says_nothing(before, now, seconds):
    """Missing, moved to another cgroup, or still the same reading."""
    assert span(before, now, seconds).quota_full is None


def test_a_counter_that_begins_anew_is_no_full_quota():
    """The cgroup was made again at the same place."""
    assert span((500.0,), (0.1,)).quota_full == 0.0


@pytest.mark.parametrize(("boot_cores", "full"), [(0.1, True), (0.3, False)])
def test_boots_that_use_up_the_quota_say_nothing_about_the_load(boot_cores, full):
    """They end by themselves, and growth must not wait for that; a tenth of the cores is still the load's quota."""
    assert full == used_up(2.0, span((0.0,), (3.0,), boot_cpu=boot_cores))


def test_a_full_quota_is_seen_where_the_cores_are_unknown():
    """The counters need no limit to be read."""
    assert used_up(None, span((0.0,), (3.0,)))
