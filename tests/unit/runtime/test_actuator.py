"""Who leaves, and what a log line looks like."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.model.readings import MemoryReading
from gunicorn_autotune.model.status import ExitReason
from gunicorn_autotune.runtime import compat
from gunicorn_autotune.runtime.actuator import choose_for_operator, choose_victims, note_operators_count
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Tracked
from gunicorn_autotune.scoreboard import layout, recorder


def a_tracked(age: int, *, ready: bool = True, running: int = 0, uss_mib: int = 10, **held: int) -> Tracked:
    """A worker with a row of its own, `websockets=` open, or `silent=` where its client says nothing."""
    row = memoryview(bytearray(layout.WORD_BYTES * layout.ROW_WORDS)).cast("Q")
    if ready:
        recorder.mark_ready(row, 1)
    pen = recorder.overlapping(row)
    for _ in range(running):
        pen.begin(None, object())
    row[layout.WEBSOCKETS], row[layout.ACCEPTED_NS] = held.get("websockets", 0), held.get("silent", 0)
    worker = SimpleNamespace(age=age, aborted=False, max_requests=1000)
    memory = MemoryReading(pss_bytes=uss_mib << 20, uss_bytes=uss_mib << 20)
    return Tracked(worker, age, 0, row, spawned_at=0.0, memory=memory)


def _ages(victims: list[Tracked]) -> list[int]:
    return [victim.age for victim in victims]


def test_the_idle_leave_before_the_busy() -> None:
    """The oldest is busy, so a younger one goes."""
    workers = [a_tracked(1, running=1), a_tracked(2), a_tracked(3, running=2)]

    assert _ages(choose_victims(workers, 2)) == [2, 1]


def test_who_holds_connections_leaves_last() -> None:
    """Though no request runs in it, and another has three."""
    workers = [a_tracked(1, running=3), a_tracked(2, websockets=1), a_tracked(3)]

    assert _ages(choose_victims(workers, 3)) == [3, 1, 2]


def test_a_silent_client_makes_a_worker_busy() -> None:
    """It has been accepted: the worker cannot serve anybody else."""
    workers = [a_tracked(1, silent=True), a_tracked(2)]

    assert _ages(choose_victims(workers, 1)) == [2]


def test_among_the_idle_the_fattest_leaves_first() -> None:
    """Its own memory is what a shrink gives back."""
    workers = [a_tracked(1, uss_mib=50), a_tracked(2, uss_mib=200), a_tracked(3, uss_mib=90)]

    assert _ages(choose_victims(workers, 2)) == [2, 3]


def test_a_booting_worker_leaves_before_all() -> None:
    """It serves nobody yet."""
    assert _ages(choose_victims([a_tracked(1), a_tracked(2, ready=False)], 1)) == [2]


def test_a_worker_without_a_row_leaves_before_the_measured() -> None:
    """What the others do is known; a server left with unmeasured workers only would not see its load."""
    unmeasured = Tracked(SimpleNamespace(age=3), 3, None, None, spawned_at=0.0)

    assert _ages(choose_victims([a_tracked(1), unmeasured, a_tracked(2)], 1)) == [3]


def test_among_equals_the_oldest_leaves() -> None:
    """As Gunicorn would."""
    assert _ages(choose_victims([a_tracked(5), a_tracked(4)], 1)) == [4]


def test_an_operators_victim_is_the_oldest_idle_one() -> None:
    """However fat the others are: Gunicorn promises the oldest."""
    workers = [a_tracked(1, running=1), a_tracked(2, uss_mib=10), a_tracked(3, uss_mib=900), a_tracked(4, running=3)]

    assert _ages(choose_for_operator(workers, 4, old_set_age=0)) == [2, 3, 1, 4]


def test_a_new_worker_stays_when_an_operator_refreshes_under_load() -> None:
    """TTIN brought 4, which is idle while the old ones are busy: an old one leaves all the same."""
    workers = [a_tracked(1, running=2), a_tracked(2, running=1), a_tracked(3, ready=False), a_tracked(4)]

    assert _ages(choose_for_operator(workers, 2, old_set_age=2)) == [1, 2]


def test_who_leaves_anyway_leaves_first_for_an_operator_too() -> None:
    """One that is being recycled, and one without a row."""
    recycled, unmeasured = a_tracked(9), Tracked(SimpleNamespace(age=8), 8, None, None, spawned_at=0.0)
    recycled.exit_reason = ExitReason.RECYCLE_AGE

    assert _ages(choose_for_operator([a_tracked(1), recycled, unmeasured], 2, old_set_age=1)) == [8, 9]


def test_a_refresh_begins_anew_when_the_last_of_the_old_set_has_left() -> None:
    """TTIN in the middle of a refresh makes none of the new ones old."""
    one, other = a_tracked(1), a_tracked(2)
    server: Any = SimpleNamespace(worker_age=1, WORKERS={7: one.worker})
    tune: Any = SimpleNamespace(tracked={1: one, 2: other}, operators_count=False, old_set_age=0)
    note_operators_count(server, tune, raised=False)
    seen = [tune.old_set_age]
    for draining in (False, False, True):
        one.draining = draining
        note_operators_count(server, tune, raised=True)
        seen.append(tune.old_set_age)
        server.worker_age, server.WORKERS[8] = 2, other.worker

    assert (seen, tune.operators_count) == ([0, 1, 1, 2], True)


def test_a_log_line_is_key_value_and_one_line() -> None:
    """Tests and people wait for these lines; text with spaces is quoted."""
    assert line("resize", workers="2->4", share=0.25, why="no room\nleft") == (
        "autotune: resize workers=2->4 share=0.25 why='no room\\nleft'"
    )


@pytest.mark.parametrize(
    "hostile", ["a\nautotune: resize workers=2->9", "\x1b[2J", "a\r", "\u2028", "\x00", 'a" uid="0', "' uid=0", "a\tb"]
)
def test_no_value_breaks_out_of_its_place_in_a_log_line(hostile: str) -> None:
    """Newlines, escapes and quotes stay inside one quoted value, also in the event itself."""
    said = line(f"event {hostile}", why=hostile, pid=1)

    assert said.isprintable()
    assert said.endswith(f" why={hostile!r} pid=1")


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        ("gunicorn.workers.sync", "SyncWorker", compat.SINGLE),
        ("gunicorn.workers.gthread", "ThreadWorker", compat.THREADED),
        ("gunicorn.workers.base_async", "AsyncWorker", compat.OVERLAPPING),
        ("gunicorn.workers.base", "Worker", compat.UNKNOWN),
    ],
)
def test_a_worker_class_is_known_by_its_request_loop(module: str, name: str, expected: str) -> None:
    """Subclasses count as the class whose loop they run."""
    from importlib import import_module

    worker_class = getattr(import_module(module), name)

    assert compat.kind_of(type("Derived", (worker_class,), {})) == expected
