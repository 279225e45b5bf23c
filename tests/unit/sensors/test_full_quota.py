"""Time in periods whose CPU quota was used up, for each level that counts them."""

import pytest

from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.sensors import cgroup_v1, cgroup_v2


@pytest.fixture
def levels(tmp_path):
    """Own cgroup, its parent, the mount."""
    own = tmp_path / "a" / "b"
    own.mkdir(parents=True)
    return str(own), str(tmp_path / "a"), str(tmp_path)


def put(level, **files):
    """Files of one level; `_` stands for the dot."""
    for name, text in files.items():
        with open(f"{level}/{name.replace('_', '.', 1)}", "w") as file:
            file.write(text)


def test_v2_periods_are_counted_with_their_own_length_at_each_level(levels):
    """10 periods of 100 ms at ours, 120 of 50 ms above; the root has no quota and counts none."""
    put(levels[0], cpu_max="300000 100000\n", cpu_stat="nr_periods 400\nnr_throttled 10\nthrottled_usec 7\n")
    put(levels[1], cpu_max="max 50000\n", cpu_stat="nr_throttled 120\n")
    put(levels[2], cpu_stat="usage_usec 1\n")

    assert cgroup_v2.read_full_seconds(levels) == (1.0, 6.0)


def test_v1_reads_the_period_of_its_own_file(levels):
    """cpu.cfs_period_us."""
    put(levels[0], cpu_cfs_period_us="20000\n", cpu_stat="nr_periods 4\nnr_throttled 3\nthrottled_time 9\n")

    assert cgroup_v1.read_full_seconds(levels) == pytest.approx((0.06,))


def test_a_level_that_cannot_be_read_makes_all_of_it_missing(levels):
    """Which level was full would no longer be known by its place."""
    put(levels[0], cpu_max="300000 100000\n", cpu_stat="")

    assert isinstance(cgroup_v2.read_full_seconds(levels), Missing)


def test_levels_without_counters_are_missing(levels):
    """No CPU controller, or no quota in this kernel."""
    assert "nr_throttled" in cgroup_v2.read_full_seconds(levels).why
