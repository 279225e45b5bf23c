"""What counts as saturated throughput of one worker count."""

from dataclasses import replace

import pytest

from gunicorn_autotune.law.crew import crew_of
from gunicorn_autotune.law.levels import throughput, with_level
from gunicorn_autotune.law.spans import mark_of
from gunicorn_autotune.model.history import History, Level
from gunicorn_autotune.testing import a_snapshot, a_worker

PER_SECOND = 40


def snapshot(at, ready, used=None):
    """`ready` workers at `at`, `used` of them with traffic, 40 requests a second since 0."""
    workers = [a_worker(slot, served=int(used is None or slot < used)) for slot in range(ready)]
    return a_snapshot(at=at, workers=workers, finished=round(PER_SECOND * at))


def told(history, at, ready, used=None, service_seconds=0.0):
    """`history` with one more interval of pressure."""
    seen = snapshot(at, ready, used)
    mark = mark_of(seen, 5.0, ready)
    history = replace(history, marks=(*(history.marks or (mark,)), mark))
    return replace(history, levels=with_level(history, crew_of(seen), mark, service_seconds))


def saturated(*counts, used=None, service_seconds=0.0):
    """One quarter of a second after the other, with these counts of ready workers."""
    history = History()
    for tick, ready in enumerate(counts):
        history = told(history, tick * 0.25, ready, used, service_seconds)
    return history


def test_a_level_is_measured_from_its_second_interval_on():
    """Of nine instants at four workers, eight intervals of a quarter of a second count."""
    assert 2.0 == throughput(saturated(*[4] * 9).levels).seconds


def test_throughput_is_requests_over_seconds():
    """40 a second."""
    assert pytest.approx(PER_SECOND) == throughput(saturated(*[4] * 9).levels).per_second


def test_a_new_count_is_a_new_level():
    """4, then 6, then 4 again."""
    assert [4, 6, 4] == [level.ready for level in saturated(4, 4, 6, 6, 4, 4).levels]


def test_a_pause_of_calm_begins_a_new_level():
    """What happened meanwhile was not saturated."""
    history = saturated(4, 4, 4)
    calm = mark_of(snapshot(0.75, 4), 0.0, 4)
    history = told(replace(history, marks=(*history.marks, calm)), 1.0, 4)

    assert 2 == len(history.levels)


def test_a_level_begins_when_its_workers_have_traffic():
    """Three of four served: not measured yet."""
    assert 0.0 == throughput(saturated(*[4] * 20, used=3).levels).seconds


def test_a_level_begins_one_service_time_later():
    """Requests of one second, seen for 4.75 s: the first second finishes what the old count began."""
    assert 4.0 == throughput(saturated(*[4] * 20, service_seconds=1.0).levels).seconds


def test_a_level_is_measured_over_twenty_seconds_at_most():
    """What it did minutes ago says little about now."""
    assert 20.0 == pytest.approx(throughput(saturated(*[4] * 400).levels).seconds, abs=0.5)


def test_levels_older_than_a_minute_are_forgotten():
    """The database may have changed since."""
    history = saturated(4, 4, 4)
    marks = (*history.marks, mark_of(snapshot(99.75, 8), 5.0, 8))

    assert [8] == [level.ready for level in told(replace(history, marks=marks), 100.0, 8).levels]


def test_a_count_that_flickers_all_the_time_keeps_a_minute_of_levels():
    """Ten minutes of it: memory stays bounded."""
    assert len(saturated(*[4, 5] * 1200).levels) <= 241


def test_no_level_has_no_throughput():
    """0, not a division by zero."""
    assert 0.0 == throughput(()).per_second


def test_a_counter_that_went_down_counts_as_unchanged():
    """A board that was restored from nothing finished no negative requests."""
    first, last = mark_of(snapshot(10.0, 4), 5.0, 4), mark_of(snapshot(11.0, 4), 5.0, 4)
    level = Level(4, 10.0, first, replace(last, finished=0))

    assert 0.0 == throughput([level]).per_second


def test_throughput_of_several_levels_has_their_mean_count():
    """One second with 4 and one with 6 workers: 5."""
    marks = [mark_of(snapshot(float(at), 4), 5.0, 4) for at in range(3)]

    assert 5.0 == throughput([Level(4, 0.0, marks[0], marks[1]), Level(6, 1.0, marks[1], marks[2])]).ready
