"""How large workers get: fresh, mature, leaking."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunicorn_autotune.law.sizes import PEAKS, leaks, mature_bytes, shed, sizes_seen
from gunicorn_autotune.model.history import Grown, History
from gunicorn_autotune.model.readings import Missing
from gunicorn_autotune.model.snapshot import WorkerState
from gunicorn_autotune.testing import MIB, a_host, a_policy, a_snapshot, a_worker

POLICY = a_policy()
KIB = 1024


def grown(size, requests=200_000, policy=POLICY, apart=37):
    """A worker whose private memory is `size(requests)`, looked at every `apart` requests."""
    history = History()
    for second in range(requests // apart):
        worker = a_worker(spawned_at=0.0, served=second * apart, uss_bytes=int(size(second * apart)))
        history = sizes_seen(policy, history, a_snapshot(1.0 + second, workers=[worker]))
    return history


@pytest.mark.parametrize("each", [300, KIB, 100 * KIB])
def test_a_worker_that_keeps_bytes_of_every_request_leaks(each):
    """The same more with each."""
    assert (1,) == grown(lambda served: 10 * MIB + each * served).leaking


@pytest.mark.parametrize(
    "size",
    [
        lambda served: 10 * MIB + 20 * MIB * math.log1p(served),
        lambda served: 10 * MIB + MIB * math.sqrt(served),
        lambda served: 10 * MIB + min(served, 2000) * 100 * KIB,
        lambda served: (10 if served < 5000 else 100) * MIB,
        lambda served: 10 * MIB + (served > 400) * 40 * MIB + (served > 90_000) * 40 * MIB,
        lambda served: 50 * MIB,
        lambda served: 10 * MIB + abs(math.sin(served)) * 90 * MIB,
    ],
    ids=["log", "sqrt", "full cache", "one step", "two steps", "flat", "up and down"],
)
def test_a_cache_or_a_step_is_no_leak(size):
    """It fills, or it happened once."""
    assert () == grown(size).leaking


def test_a_small_leak_is_left_alone():
    """Up to four times what the worker took at first."""
    assert () == grown(lambda served: 100 * MIB + KIB * served, requests=100_000).leaking


def test_leaks_are_not_looked_for_when_switched_off():
    """recycle_leak_ratio = 0."""
    assert () == grown(lambda served: 10 * MIB + KIB * served, policy=a_policy(recycle_leak_ratio=0)).leaking


def test_a_worker_that_was_not_read_has_no_size():
    """Nothing is remembered, nothing is guessed."""
    blind = replace(a_worker(served=1000), memory=Missing("hidden"))

    assert () == sizes_seen(POLICY, History(), a_snapshot(1.0, workers=[blind])).grown


def test_two_marks_are_no_leak():
    """Nor are three: three doublings are asked for, four marks."""
    marks = tuple((100 * 2**i, 10 * MIB * 2**i) for i in range(4))

    assert [False, False, True] == [leaks(POLICY, Grown(1, 80 * MIB, marks[:some])) for some in (2, 3, 4)]


@pytest.mark.parametrize(("last_kib", "leaking"), [(36, True), (35, False)])
def test_each_doubling_must_keep_three_quarters_of_the_one_before(last_kib, leaking):
    """64 KiB a request, then 48, then 36 or a little less."""
    sizes = [0, 64, 64 + 48, 64 + 48 + last_kib]
    marks = tuple((100 + number, (10 + size) * KIB) for number, size in enumerate(sizes))

    assert leaking == leaks(POLICY, Grown(1, 80 * MIB, marks))


@pytest.mark.parametrize(("count", "mature"), [(1, 1), (9, 9), (10, 9), (20, 18), (100, 90)])
def test_the_mature_size_is_the_90th_percentile(count, mature):
    """The largest of few."""
    assert mature == mature_bytes(range(1, count + 1), (), 0.0)


def test_a_worker_that_has_left_still_counts():
    """After a reload all are small, and will not stay so."""
    assert 100 == mature_bytes([10] * 8, ((0.0, 100),), 1.0)


def test_a_worker_that_has_left_counts_half_after_an_hour():
    """1 of 9 is above the tenth, a half of 8.5 is not."""
    assert 10 == mature_bytes([10] * 8, ((0.0, 100),), 3600.0)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 50), max_size=60),
    st.lists(st.tuples(st.floats(0.0, 20_000.0), st.integers(1, 50)), max_size=PEAKS),
)
def test_a_tenth_of_the_weight_at_most_is_above_the_mature_size(sizes, peaks):
    """And it would be more with the next smaller one."""
    mature = mature_bytes(sizes, peaks, 20_000.0)
    weighed = [(size, 1.0) for size in sizes if size]
    weighed += [(peak, 0.5 ** ((20_000.0 - at) / 3600.0)) for at, peak in peaks]
    whole = sum(weight for _, weight in weighed)
    above = sum(weight for size, weight in weighed if size > mature)
    reached = sum(weight for size, weight in weighed if size >= mature)

    assert not whole or above <= 0.1 * whole + 1e-9 < reached + 2e-9


def test_what_a_worker_grew_to_is_remembered_when_it_leaves():
    """With the time it was missed."""
    history = grown(lambda served: 50 * MIB, requests=400)
    history = sizes_seen(POLICY, history, a_snapshot(100.0, workers=[a_worker(5)]))

    assert ((100.0, 50 * MIB),) == history.peaks


def test_what_a_worker_recycled_for_its_size_grew_to_is_forgotten():
    """A leak is not the natural size of a worker: the memory cap would fall for hours."""
    history = shed(grown(lambda served: 50 * MIB, requests=400), 1)

    assert () == sizes_seen(POLICY, history, a_snapshot(100.0, workers=[a_worker(5)])).peaks


def test_a_worker_that_drains_is_not_taken_up_again():
    """Or its peak would be remembered after all."""
    draining = a_worker(state=WorkerState.DRAINING, served=1000)

    assert () == sizes_seen(POLICY, History(), a_snapshot(1.0, workers=[draining])).grown


def test_a_worker_that_never_worked_says_nothing_about_the_natural_size():
    """It left before its hundredth request."""
    history = grown(lambda served: 50 * MIB, requests=99)

    assert () == sizes_seen(POLICY, history, a_snapshot(100.0, workers=[a_worker(5)])).peaks


@pytest.mark.parametrize(("seconds", "mib"), [(1, 90), (4.9, 90), (5, 30), (14.9, 30), (15, 90)])
def test_the_fresh_size_is_read_some_seconds_after_a_boot(seconds, mib):
    """Sooner, nearly all is shared with the parent, and a limit too low would not be refused; later, it has grown."""
    young = a_worker(spawned_at=1000.0 - seconds, boot_seconds=0.0, uss_bytes=30 * MIB)
    history = sizes_seen(POLICY, History(fresh_bytes=90 * MIB), a_snapshot(1000.0, workers=[young]))

    assert mib * MIB == history.fresh_bytes


def test_before_a_boot_was_seen_the_smallest_is_taken_for_fresh():
    """The server has been up for long when we look first."""
    workers = [a_worker(0, uss_bytes=60 * MIB), a_worker(1, uss_bytes=40 * MIB)]

    assert 40 * MIB == sizes_seen(POLICY, History(), a_snapshot(1000.0, workers=workers)).fresh_bytes


def test_sizes_are_looked_at_once_a_second():
    """They are read one worker at a time anyway."""
    history = sizes_seen(POLICY, History(), a_snapshot(1.0))

    assert history is sizes_seen(POLICY, history, a_snapshot(1.9))


@pytest.mark.parametrize(
    ("age_seconds", "mib", "served", "sized"),
    [(59.0, 50, 100, False), (60.0, 50, 100, True), (90.0, 0, 100, False), (600.0, 50, 99, False)],
)
def test_sizes_are_known_when_a_worker_has_served_for_a_minute(age_seconds, mib, served, sized):
    """Until then a guess bounds the count; an app that loads at its first requests is small while it is idle."""
    sizes = {"uss_bytes": mib * MIB, "pss_bytes": mib * MIB}
    worker = a_worker(0, spawned_at=99.5 - age_seconds, boot_seconds=0.5, served=served, **sizes)

    assert sized == sizes_seen(a_policy(), History(), a_snapshot(100.0, workers=[worker])).sized


@pytest.mark.parametrize("hidden", ["memory_limit_bytes", "memory_used_bytes"])
def test_sizes_do_not_replace_the_guess_where_memory_cannot_be_watched(hidden):
    """The memory cap would not hold the count."""
    worker = a_worker(0, served=1000)
    snapshot = a_snapshot(100.0, workers=[worker], host=a_host(**{hidden: Missing("out of sight")}))

    assert not sizes_seen(a_policy(), History(), snapshot).sized


def test_where_requests_are_not_reported_a_minute_is_enough():
    """There is nothing else to go by."""
    worker = a_worker(0, spawned_at=30.0, state=WorkerState.UNKNOWN)

    assert sizes_seen(a_policy(), History(), a_snapshot(100.0, workers=[worker])).sized


def test_sizes_stay_known_when_all_workers_are_new():
    """A reload must not bring the guess back: what a worker grows to is remembered."""
    new = a_worker(0, spawned_at=99.0, uss_bytes=MIB, pss_bytes=MIB)

    assert sizes_seen(a_policy(), History(sized=True), a_snapshot(100.0, workers=[new])).sized
