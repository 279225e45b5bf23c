"""Excess, wins, intervals and goals: small sums one can do by hand."""

from dataclasses import replace

from benchmarks.simulation import goals
from benchmarks.simulation.run import Figures, Played
from benchmarks.simulation.tally import (
    LATE,
    SLOW,
    best,
    excess,
    interval,
    p95_ratio,
    peers_excess,
    percentile,
    summary,
    throughput_share,
    wins,
    worst,
)

ROW = Figures(0.1, 0.2, 1.0, 2.0, 50.0, 4.0, 100.0, 10.0, 1.0, 0.0, 0.5, 2)


def row(late: float, slow: float = 0.2, **more: float) -> Figures:
    """A run with these shares."""
    return replace(ROW, late=late, slow=slow, **more)


def played(name: str = "1/0", least_slow: float | None = None, **rows: Figures) -> Played:
    """A workload; names with _ for -."""
    found = {key.replace("_", "-"): value for key, value in rows.items()}
    return Played(name, 1, "", found, least_slow, 60.0 if least_slow is not None else None)


def test_excess_is_above_the_least_of_all_oracles_included():
    """0.10 beside a clairvoyant's 0.02 is 8 points, though the peer has 0.05."""
    one = played(ours=row(0.10), apache=row(0.05), clairvoyant=row(0.02))

    assert 0.08 == round(excess(one, "ours", LATE), 9)


def test_excess_beside_peers_leaves_oracles_out():
    """The same workload: 5 points above Apache, which one can install."""
    one = played(ours=row(0.10), apache=row(0.05), clairvoyant=row(0.02), static_64=row(0.0))

    assert 0.05 == round(peers_excess(one, "ours", LATE), 9)


def test_excess_of_slow_requests_is_above_any_static_count():
    """The sweep's least slow share counts, though another count was the best for late ones."""
    one = played(least_slow=0.05, ours=row(0.1, 0.2), best_static=row(0.0, 0.1))

    assert 0.15 == round(excess(one, "ours", SLOW), 9)


def test_less_than_a_point_is_a_draw():
    """Better once, worse once, a draw."""
    plays = [played(ours=row(0.1), apache=row(other)) for other in (0.12, 0.08, 0.105)]

    assert (1, 1) == wins(plays, "apache", LATE)


def test_the_worst_comes_first_and_no_win_is_in_it():
    """Workloads by excess, falling."""
    plays = [played(name, ours=row(mine), apache=row(0.1)) for name, mine in (("a", 0.2), ("b", 0.1), ("c", 0.5))]

    assert ["c", "a"] == [one.name for one in worst(plays, LATE)]


def test_the_best_is_a_peer_one_can_install_when_tied():
    """An oracle that did no better is not named."""
    assert "apache" == best(played(ours=row(0.2), static_64=row(0.0), apache=row(0.0)), LATE)


def test_the_interval_holds_the_mean_and_narrows_with_more_values():
    """A bootstrap of the mean."""
    few, many = interval([0.0, 1.0] * 4), interval([0.0, 1.0] * 100)

    assert few.low <= few.value <= few.high
    assert many.high - many.low < few.high - few.low


def test_the_interval_is_the_same_every_time():
    """Resamples are seeded, so the page is reproducible and differences are paired."""
    assert interval([1.0, 2.0, 4.0]) == interval([1.0, 2.0, 4.0])


def test_the_p95_ratio_is_to_the_best_of_the_table():
    """1.5 s beside 1.0 s."""
    one = played(ours=row(0.1, p95_seconds=1.5), apache=row(0.1, p95_seconds=1.0))

    assert 1.5 == p95_ratio(one, "ours")


def test_a_percentile_is_a_value_of_the_list():
    """Nearest rank."""
    assert 9 == percentile(list(range(10)), 0.9)


def test_goals_are_judged_as_they_are_written():
    """Ten actions meet 14; an excess of eight points misses five."""
    plays = [played(ours=row(0.10, p95_seconds=1.0), clairvoyant=row(0.02, p95_seconds=1.0))]

    told = [verdict.told for verdict in goals.of_set({"ours": summary(plays, "ours")})]

    assert ["misses goal", "meets goal", "meets goal"] == told


def test_throughput_is_judged_against_the_best_static_count():
    """50 of 60 answers a second."""
    plays = [played(goals.DEGRADING, least_slow=0.0, ours=row(0.1), best_static=row(0.0))]

    assert 50.0 / 60.0 == throughput_share(plays)
    assert ["misses goal"] == [verdict.told for verdict in goals.of_named(plays)]
