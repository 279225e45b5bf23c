"""Who leaves, and what a log line looks like."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gunicorn_autotune.model.readings import MemoryReading
from gunicorn_autotune.model.status import ExitReason
from gunicorn_autotune.runtime import compat, hooks
from gunicorn_autotune.runtime.actuator import choose_victims
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.state import Tracked
from gunicorn_autotune.scoreboard import board, layout, recorder


def a_tracked(age: int, *, ready: bool = True, running: int = 0, uss_mib: int = 10) -> Tracked:
    """A worker with a row of its own."""
    row = board.create(layout.Shape(rows=1, status_bytes=64)).row(0)
    if ready:
        recorder.mark_ready(row, 1)
    pen = recorder.overlapping(row)
    for _ in range(running):
        pen.begin(None, object())
    worker = SimpleNamespace(age=age, aborted=False, max_requests=1000)
    memory = MemoryReading(pss_bytes=uss_mib << 20, uss_bytes=uss_mib << 20)
    return Tracked(worker, age, 0, row, spawned_at=0.0, memory=memory)


def _ages(victims: list[Tracked]) -> list[int]:
    return [victim.age for victim in victims]


def test_the_idle_leave_before_the_busy() -> None:
    """The oldest is busy, so a younger one goes."""
    workers = [a_tracked(1, running=1), a_tracked(2), a_tracked(3, running=2)]

    assert _ages(choose_victims(workers, 2)) == [2, 1]


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


def _left_with(code: int | None, *, asked: ExitReason | None = None, aborted: bool = False) -> ExitReason:
    tracked = a_tracked(1)
    assert tracked.row is not None
    tracked.worker.aborted = aborted
    tracked.exit_reason = asked
    if code is not None:
        recorder.mark_exit(tracked.row, code)
    tune = SimpleNamespace(cgroups=None, oom_kills_settled=None, records=True)
    return hooks.exit_reason(tune, tracked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "asked", "aborted", "expected"),
    [
        (None, None, False, ExitReason.SIGNAL),
        (0, None, False, ExitReason.SIGNAL),
        (3, None, False, ExitReason.ERROR),
        (1, None, True, ExitReason.TIMEOUT),
        (0, ExitReason.SCALE_DOWN, False, ExitReason.SCALE_DOWN),
        (None, ExitReason.SHUTDOWN, False, ExitReason.SHUTDOWN),
        (0, ExitReason.RELOAD, False, ExitReason.RELOAD),
    ],
)
def test_an_exit_is_told_by_its_cause(
    code: int | None, asked: ExitReason | None, aborted: bool, expected: ExitReason
) -> None:
    """No exit code means a signal; what was asked for wins; a timeout is a timeout."""
    assert _left_with(code, asked=asked, aborted=aborted) is expected


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
