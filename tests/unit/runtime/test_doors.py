"""The guard at every door: what raises behind it is counted, told once, and goes no further."""

from __future__ import annotations

from collections import Counter

import pytest

from gunicorn_autotune.model.status import WORKER_DOORS, Door
from gunicorn_autotune.runtime.doors import COUNT_LIMIT, Doors
from gunicorn_autotune.scoreboard import layout


class Log:
    """Gunicorn's, as far as the guard uses it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def exception(self, text: str) -> None:
        """Keep it."""
        self.lines.append(text)


class BrokenLog:
    """A logger class of the user's own that fails itself."""

    def exception(self, _text: str) -> None:
        """Fail."""
        raise OSError("no space left")


def broken() -> None:
    """A function of ours."""
    raise RuntimeError("on purpose")


def broken_too() -> None:
    """Another."""
    raise RuntimeError("on purpose")


@pytest.fixture
def log() -> Log:
    """A log."""
    return Log()


def test_what_works_goes_through(log):
    """Its arguments and its answer."""
    assert Doors(log, Counter()).through(Door.TICK, lambda a, b: a + b, 1, 2, otherwise=9) == 3


def test_what_raises_is_answered_for(log):
    """With what Gunicorn would go on with."""
    assert Doors(log, Counter()).through(Door.TICK, broken, otherwise=9) == 9


@pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_a_program_is_not_held(stop, log):
    """Gunicorn's HaltServer is no Exception either."""

    def leave() -> None:
        raise stop

    with pytest.raises(stop):
        Doors(log, Counter()).through(Door.TICK, leave)


def test_each_function_is_told_once_and_counted_each_time(log):
    """Three failures of one and two of another: two lines."""
    counts: Counter[Door] = Counter()
    doors = Doors(log, counts)
    for ours in (broken, broken_too, broken, broken_too, broken):
        doors.through(Door.TICK, ours)

    assert (counts, log.lines) == (
        {Door.TICK: 5},
        ["autotune: failed (logged once), Gunicorn serves on door=tick"] * 2,
    )


def test_after_a_reload_it_is_told_again(log):
    """What fails under the new configuration is news."""
    doors = Doors(log, Counter())
    doors.through(Door.TICK, broken)
    doors.forget_told()
    doors.through(Door.TICK, broken)

    assert len(log.lines) == 2


def test_a_log_that_fails_is_held_too():
    """Nothing gets through, and it is counted."""
    counts: Counter[Door] = Counter()
    Doors(BrokenLog(), counts).through(Door.TICK, broken)

    assert counts == {Door.TICK: 1}


@pytest.mark.parametrize("door", WORKER_DOORS)
def test_a_worker_counts_in_its_row(door, log, row):
    """Where the exporter finds it; the arbiter's own counts stay."""
    counts: Counter[Door] = Counter()
    doors = Doors(log, counts)
    doors.enter_worker(row)
    doors.through(door, broken)
    doors.through(door, broken)
    written = row[layout.DOOR_ERRORS : layout.DOOR_ERRORS_END].tolist()

    assert (counts, written) == ({}, [2 * (one is door) for one in WORKER_DOORS])


def test_a_worker_without_a_row_is_held_as_well(log):
    """The board may be full."""
    doors = Doors(log, Counter())
    doors.enter_worker(None)
    doors.through(Door.NOTIFY, broken)

    assert len(log.lines) == 1


def test_a_count_that_somebody_wrote_over_stays_within_its_word(log, row):
    """The app shares the mapping: all ones may stand there."""
    doors = Doors(log, Counter())
    doors.enter_worker(row)
    row[layout.DOOR_ERRORS] = (1 << 64) - 1
    doors.through(Door.POST_FORK, broken)

    assert row[layout.DOOR_ERRORS] == COUNT_LIMIT


def test_workers_forked_later_need_not_tell_what_one_has_told(log):
    """A fault in every request of forty workers is one line, not forty."""
    doors = Doors(log, Counter())
    doors.hear([3 * (door is Door.PRE_REQUEST) for door in WORKER_DOORS])
    doors.through(Door.PRE_REQUEST, broken)
    doors.through(Door.NOTIFY, broken)

    assert log.lines == ["autotune: failed (logged once), Gunicorn serves on door=notify"]


def test_old_counts_are_no_news_after_a_reload(log):
    """The rows keep their counters; only what is added makes a door heard again."""
    doors, counts = Doors(log, Counter()), [3 * (door is Door.PRE_REQUEST) for door in WORKER_DOORS]
    doors.hear(counts)
    doors.forget_told()
    doors.hear(counts)
    doors.through(Door.PRE_REQUEST, broken)

    assert len(log.lines) == 1


def test_every_door_of_a_worker_has_a_word():
    """And none of them is another's."""
    assert layout.DOOR_ERRORS_END - layout.DOOR_ERRORS == len(set(WORKER_DOORS)) == len(WORKER_DOORS)
    assert layout.DOOR_ERRORS_END <= layout.ROW_WORDS
