"""When the nginx benchmark's POSTs leave, and what is made of their answers."""

import itertools
import random

import pytest
from benchmarks.nginx import plans, race, verify
from benchmarks.nginx.front import OURS
from benchmarks.nginx.share import Newcomer, figures, has_its_share
from benchmarks.openloop import Request

from gunicorn_autotune.nginx.site.gunicorn import THREADED, Gunicorn
from gunicorn_autotune.nginx.write.options import Options
from gunicorn_autotune.nginx.write.render import render

SECONDS = 300.0


def gaps(moments):
    """Between different moments."""
    ordered = sorted(set(moments))
    return [after - before for before, after in itertools.pairwise(ordered)]


def test_aimed_gaps_lie_around_each_expiry():
    """2, 4 and 10 s in turns, within 20 ms, so that requests leave just before and just after a side closes."""
    found = gaps(plans.aimed(SECONDS, random.Random(1)))
    off = [min(abs(gap - aim) for aim in plans.AIMED_GAPS) for gap in found]

    assert len(found) > 30
    assert max(off) <= plans.AIMED_SPREAD + 1e-9


def test_bursts_have_single_requests_between_them():
    """The singles keep the worker loops turning; without them the race hardly shows."""
    moments = list(plans.bursts(SECONDS, random.Random(1)))
    bursts = {moment for moment in moments if moments.count(moment) == plans.BURST}
    singles = [moment for moment in moments if moments.count(moment) == 1]

    assert 85 <= len(bursts) <= 160
    assert 400 <= len(singles) <= 650
    assert len(moments) == plans.BURST * len(bursts) + len(singles)


def test_a_plan_is_the_same_for_the_same_seed_and_in_order():
    """Each site on a course of its own."""
    first, again, other = plans.plan(4, 20.0, 1), plans.plan(4, 20.0, 1), plans.plan(4, 20.0, 2)

    assert first == again == sorted(first)
    assert first != other
    assert {site for _, site in first} == {0, 1, 2, 3}


def test_the_whole_race_has_enough_posts():
    """Ours together come to the 50,000 of the goal, with a tenth to spare."""
    ours = [(number, one) for number, (name, one) in enumerate(race.RUNS.items()) if name != "guide"]

    assert sum(len(plans.plan(one.sites, one.seconds, seed)) for seed, one in ours) > 55_000


def test_failed_posts_are_counted_by_traffic_and_by_status():
    """A 502, a reset, a 200."""
    plan = [(0.0, 0), (1.0, 0), (2.0, plans.AIMED_EVERY - 1)]
    requests = [Request(0.0, 0.0, 0.1, 502), Request(1.0, 0.0, 0.1, 200), Request(2.0, 0.0, 0.1, None, "reset")]
    found = race.figures(requests, plan)

    assert (found["posts"], found["failed"]) == (3, 2)
    assert found["failed_by_kind"] == {"status 502": 1, "reset": 1}
    assert found["traffic"] == {"bursts": {"posts": 2, "failed": 1}, "aimed": {"posts": 1, "failed": 1}}


@pytest.mark.parametrize(
    ("looks", "has"),
    [
        ([{1: 100, 2: 100}, {1: 130, 2: 130}], False),
        ([{1: 100, 2: 100, 3: 70}, {1: 130, 2: 130, 3: 82}], True),
        ([{1: 100, 2: 100, 3: 70}, {1: 130, 2: 130, 3: 79}], False),
        ([{1: 100, 2: 100}, {1: 115, 2: 115, 3: 70}, {1: 130, 2: 130, 3: 82}], True),
        ([{1: 100, 2: 100}, {1: 100, 2: 100, 3: 70}], False),
    ],
    ids=["not there", "half of equal", "too little", "born between", "nothing served"],
)
def test_a_new_worker_has_its_share_with_half_of_an_equal_part(looks, has):
    """Counted from the first look that saw it, as it goes on from the count of its slot."""
    assert has_its_share(looks, frozenset({1, 2})) is has


def test_only_the_last_second_counts():
    """A worker without any for a minute has its share once a second is shared, not when the minute is made up."""
    newcomer = Newcomer(0.0, frozenset({1}))
    for tenth in range(600):
        newcomer.look(tenth / 10, {1: 4 * tenth, 2: 0})
    for tenth in range(600, 620):
        newcomer.look(tenth / 10, {1: 4 * 600 + 2 * (tenth - 600), 2: 2 * (tenth - 599)})

    assert newcomer.seconds is not None
    assert 60.0 < newcomer.seconds < 61.0


def test_a_share_that_never_came_is_no_number():
    """Neither the median nor the worst may leave it out."""
    assert figures([1.0, None, 2.0], 15.0)["median_seconds"] == 2.0
    assert figures([1.0, None, 2.0], 15.0)["worst_seconds"] is None
    assert figures([None, None, 2.0], 15.0)["median_seconds"] is None


@pytest.mark.parametrize(
    ("reason", "verdict", "misjudged"),
    [("backlog", "workers", False), ("no_gain", "workers", True), ("backlog", "downstream", True)],
)
def test_a_growth_is_misjudged_by_a_rollback_or_by_a_verdict(reason, verdict, misjudged):
    """The app only sleeps: nothing behind the workers is ever short."""
    log = f"autotune: resize workers=2->3 action=grow reason=backlog\nresize workers=3->2 reason={reason}"
    found = verify.figures({1: 10, 2: 10}, {1: 110, 2: 10, 3: 40}, log, verdict)

    assert (found["served"], found["per_second"], found["growths"]) == ([100, 0, 0], 20.0, 1)
    assert found["misjudged"] is misjudged


def test_ours_is_what_render_writes() -> None:
    """The pair that is measured is the pair that users are given."""
    gunicorn = Gunicorn("27.0.1", THREADED, {"bind": ["127.0.0.1:8000"], "keepalive": OURS.gunicorn_keepalive})
    rendered = render(gunicorn, Options(name="shop"))
    kept = {" ".join(line.partition("#")[0].split()) for line in rendered["conf.d/shop-http.conf"].splitlines()}

    assert {f"{line.strip()};" for line in OURS.pool.split(";") if "keepalive_" in line} <= kept
    assert "proxy_next_upstream off;" in " ".join(rendered["shop/tuning.conf"].split())
