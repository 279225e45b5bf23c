"""What is run, in which order, and how the static oracle is chosen."""

from __future__ import annotations

import pytest
from benchmarks.contest.contenders import GUNICORNS, static, static_max
from benchmarks.contest.jobs import behind_nginx, by_locust, contenders, oracle, sweep
from benchmarks.contest.workloads import NASA_HOURS, WORKLOADS, for_sweep, plan, shortened

STEP, DAY, CPU = WORKLOADS["step"], WORKLOADS["day"], WORKLOADS["cpu"]


def swept(late: float, p95: float | None) -> dict[str, float | None]:
    """Figures of one run of a sweep."""
    return {"late_50_share": late, "p95_seconds": p95}


@pytest.mark.parametrize(
    ("figures", "best"),
    [
        ({2: swept(0.5, 1.0), 8: swept(0.1, 0.3), 20: swept(0.0, 0.1)}, 20),
        ({8: swept(0.001, 0.2), 20: swept(0.0, 0.1)}, 20),
        ({8: swept(0.001, 0.1002), 20: swept(0.0, 0.1)}, 8),
        ({2: swept(0.99, None), 5: swept(0.99, None)}, 2),
    ],
)
def test_the_oracle_is_least_late_then_quickest_then_smallest(figures: dict[int, dict[str, float]], best: int) -> None:
    """Differences below half a percent are ties, and a tie goes to fewer workers."""
    assert oracle(STEP, figures) == best


def test_where_all_is_late_the_oracle_is_who_answers_most() -> None:
    """A count that drowns in work is late a little less often and answers less; a percent is a tie."""
    figures = {
        count: swept(late, 5.0) | {"throughput": rate}
        for count, late, rate in ((2, 0.99, 47.8), (3, 0.99, 48.0), (30, 0.98, 43.0))
    }
    assert oracle(WORKLOADS["full"], figures) == 2


def test_every_contender_of_a_seed_gets_the_same_requests() -> None:
    """The plan depends on workload, seed and cores alone."""
    assert plan(STEP, 3, 1) == plan(STEP, 3, 1) != plan(STEP, 4, 1)


def test_the_rate_of_a_cpu_bound_load_grows_with_the_cores() -> None:
    """60 % of two cores is twice the requests of 60 % of one."""
    assert len(plan(CPU, 1, 4).moments) > 3 * len(plan(CPU, 1, 1).moments)


def test_mixed_is_nine_quick_requests_to_a_slow_one() -> None:
    """The shares of the parts are those of the requests."""
    work = plan(WORKLOADS["mixed"], 1, 1).work
    assert sum(wait > 0.1 for _, wait in work) / len(work) == pytest.approx(0.1, abs=0.04)


def test_the_order_is_drawn_from_seed_and_workload() -> None:
    """No contender always runs first, and the same seed gives the same order again."""
    orders = [[one.name for one in contenders(STEP, 1, 16, seed)] for seed in (102, 103, 104, 105)]
    assert len({order[0] for order in orders}) > 1
    assert orders[0] == [one.name for one in contenders(STEP, 1, 16, 102)]


def test_adaptive_and_the_guides_servers_run_with_every_seed() -> None:
    """What the goals compare is never left out."""
    for seed in range(101, 111):
        names = {one.name for one in contenders(STEP, 1, 16, seed)}
        assert {one.name for one in GUNICORNS} | {"static-3", "static-16", "uwsgi"} <= names


def test_the_static_maximum_leaves_a_tenth_of_the_memory() -> None:
    """1 GiB holds 30 workers of 30 MiB, 384 MiB hold 11."""
    assert (static_max(STEP), static_max(WORKLOADS["leak"])) == (30, 11)


def test_the_sweep_tries_the_most_that_memory_holds() -> None:
    """An oracle that could not be the maximum would be none."""
    for workload in WORKLOADS.values():
        assert static(static_max(workload)) in [job.contender for job in sweep([workload], 1)]


def test_a_long_load_is_swept_in_less_time_at_the_same_rates() -> None:
    """The day's sweep has its hours, only shorter."""
    short = for_sweep(DAY)
    assert [phase.rate for phase in short.phases] == [phase.rate for phase in DAY.phases]
    assert short.seconds == pytest.approx(DAY.seconds * DAY.sweep_factor)


def test_the_day_has_nasas_hours_and_its_peak() -> None:
    """24 phases; the busiest hour is the peak, the quietest a quarter of it."""
    rates = [phase.rate for phase in DAY.phases]
    assert (len(rates), max(rates), sum(NASA_HOURS)) == (24, 100, 1_891_023)
    assert min(rates) == pytest.approx(26, abs=1)


def test_the_step_stays_where_the_load_jumps_in_a_shortened_run() -> None:
    """Time to capacity counts from the jump, wherever it was moved to."""
    for workload in WORKLOADS.values():
        short = shortened(workload)
        if workload.step_at is not None:
            starts = [sum(phase.seconds for phase in short.phases[:number]) for number in range(len(short.phases))]
            assert short.step_at in starts[1:]


def test_behind_nginx_and_by_locust_are_jobs_of_their_own() -> None:
    """Their keys differ from the direct runs of the same contender."""
    fronts = {job.front for job in (*behind_nginx([STEP], 101), *by_locust([STEP], 1, 101))}
    assert fronts == {"unix", "tcp", "locust"}
