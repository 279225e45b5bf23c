"""What was asked of adaptive, judged from the runs."""

import pytest
from benchmarks.contest import goals, roles
from benchmarks.contest.beside import P95
from benchmarks.contest.contenders import ADAPTIVE
from tests.unit.contest.built import MOST_NAME, ORACLE_NAME, a_document, a_run


def with_figures(document: dict, workload: str, contender: str, **figures: object) -> dict:
    """The same document with these figures in all runs of one contender."""
    for run in roles.runs_of(document, workload, contender):
        run["figures"] |= figures
    return document


def test_a_goal_without_runs_is_not_measured():
    """Neither met nor missed."""
    assert {None} == {one.met for one in goals.verdicts({"runs": []})}


def test_the_step_is_met_by_the_mean_of_all_runs():
    """At most 1.5 s."""
    assert goals.of_step(a_document(("step",))).met is True


def test_one_run_that_never_got_back_misses_the_step():
    """It is no number to average away."""
    document = a_document(("step",))
    roles.runs_of(document, "step", ADAPTIVE)[0]["figures"]["back_seconds"] = None

    assert goals.of_step(document).met is False


@pytest.mark.parametrize(("late_share", "met"), [(0.1, True), (0.2, False)])
def test_half_the_memory_counts_at_the_same_late_share_only(late_share, met):
    """More late requests are no price that the goal allows."""
    document = with_figures(a_document(("day",)), "day", ADAPTIVE, gb_seconds=1.0, late_50_share=late_share)
    with_figures(document, "day", MOST_NAME, gb_seconds=4.0, late_50_share=0.1)

    assert goals.of_day(document).met is met


def test_within_five_per_cent_of_the_oracle_everywhere_is_met():
    """4 % above on all workloads."""
    document = a_document()
    for workload in roles.workloads_of(document):
        with_figures(document, workload, ADAPTIVE, p95_seconds=0.104)
        with_figures(document, workload, ORACLE_NAME, p95_seconds=0.100)

    assert goals.of_oracle(document, P95).met is True


def test_a_workload_that_was_not_run_leaves_every_workload_open():
    """All that ran were within, but it says every."""
    document = with_figures(a_document(("io",)), "io", ADAPTIVE, p95_seconds=0.1)

    assert goals.of_oracle(document, P95).met is None


def test_above_five_per_cent_is_a_miss_even_within_noise():
    """And it says that it may be chance."""
    document = a_document(("io",))
    for run, p95 in zip(roles.runs_of(document, "io", ADAPTIVE), (0.1, 0.1, 0.2), strict=True):
        run["figures"]["p95_seconds"] = p95
    with_figures(document, "io", ORACLE_NAME, p95_seconds=0.1)
    verdict = goals.of_oracle(document, P95)

    assert verdict.met is False
    assert verdict.yardstick == "1 over, 1 of them within noise"


def test_a_rival_that_is_better_beyond_noise_is_named():
    """With the workload and the figure."""
    document = with_figures(a_document(("io",)), "io", "static-3", late_50_share=0.0)
    verdict = goals.of_rival(document, roles.RULE)

    assert verdict.met is False
    assert verdict.note.startswith("io, late > 50 ms: +")


def test_downstream_must_be_said_in_every_run():
    """One silent run is a miss."""
    document = a_document(("pool",))
    roles.runs_of(document, "pool", ADAPTIVE)[0]["figures"]["downstream"] = False

    assert [False, True, True] == [one.met for one in goals.of_pool(document)]


def test_a_count_that_is_held_by_its_maximum_has_not_stopped():
    """The figure says so as well as the verdict."""
    document = a_document(("pool",))
    roles.runs_of(document, "pool", ADAPTIVE)[0]["figures"]["most_workers"] = goals.highest(document)
    verdict = goals.of_pool(document)[1]

    assert (verdict.met, verdict.figure.startswith("in 0 of ")) == (False, True)


def test_the_pool_is_judged_beside_the_best_static_by_throughput():
    """Whichever count that is, the oracle of late requests or not."""
    document = with_figures(a_document(("pool",)), "pool", "static-3", throughput=99.0)

    assert goals.best_static(document, "pool") == "static-3"
    assert goals.of_pool(document)[-1].met is False


def test_a_static_with_fewer_runs_is_no_best_static():
    """Its mean is of other requests."""
    document = a_document(("pool",))
    document["runs"] = [run for run in document["runs"] if run["contender"] != MOST_NAME or run["seed"] == 1]
    with_figures(document, "pool", MOST_NAME, throughput=99.0)

    assert goals.best_static(document, "pool") != MOST_NAME


def test_growth_in_the_last_third_has_not_stopped():
    """A new height at 25 of 30 s."""
    assert not goals.stopped({"seconds": 30, "workers": [[0, 2], [5, 12], [25, 13]]})


def test_a_change_below_the_height_is_no_growth():
    """Down and up again to where it was."""
    assert goals.stopped({"seconds": 30, "workers": [[0, 2], [5, 12], [22, 10], [25, 12]]})


def test_invalid_runs_are_in_no_figure():
    """Not even one that would decide it."""
    document = a_document(("step",))
    spoilt = a_run("step", ADAPTIVE, 9, back_seconds=None) | {"valid": False, "why": "the generator was 20 ms late"}
    document["runs"].append(spoilt)

    assert goals.of_step(document).met is True
