"""Why a worker ended: the table of runtime/exits.py, cell by cell."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import SimpleNamespace

import pytest

from gunicorn_autotune.model.status import EXIT_MEANINGS, ExitReason
from gunicorn_autotune.runtime import exits, worker
from gunicorn_autotune.runtime.state import Tracked
from gunicorn_autotune.scoreboard import board, layout, recorder

LIMITED, UNLIMITED = 100, sys.maxsize


def a_worker(
    returncode: int | None, *, asked: ExitReason | None = None, sent: tuple[int, ...] = (), aborted: bool = False,
    max_requests: int = UNLIMITED,
) -> Tracked:  # fmt: skip
    """One that has ended, and whom Gunicorn or we may have asked to leave."""
    row = board.create(layout.Shape(rows=1, status_bytes=64)).row(0)
    gone = SimpleNamespace(aborted=aborted, max_requests=max_requests)
    tracked = Tracked(gone, 1, 0, row, spawned_at=0.0, exit_reason=asked, draining=asked is not None)
    tracked.sent.update(sent)
    tracked.returncode = returncode
    return tracked


def reason(tracked: Tracked, *, records: bool = True, frozen: str | None = None) -> ExitReason:
    """Why it ended, in a cgroup that counted no OOM kill."""
    tune = SimpleNamespace(cgroups=None, oom_kills_settled=None, records=records, frozen=frozen)
    return exits.exit_reason(tune, tracked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("returncode", "expected"),
    [
        (0, ExitReason.EXIT),
        (1, ExitReason.ERROR),
        (3, ExitReason.ERROR),
        (255, ExitReason.ERROR),
        (-signal.SIGTERM, ExitReason.TERMINATED),
        (-signal.SIGINT, ExitReason.TERMINATED),
        (-signal.SIGQUIT, ExitReason.TERMINATED),
        (-signal.SIGKILL, ExitReason.SIGNAL),
        (-signal.SIGSEGV, ExitReason.SIGNAL),
        (-signal.SIGABRT, ExitReason.SIGNAL),
        (-signal.SIGRTMIN, ExitReason.SIGNAL),
        (None, ExitReason.UNKNOWN),
    ],
)
def test_one_that_nobody_asked_ended_by_what_the_kernel_says(returncode: int | None, expected: ExitReason) -> None:
    """Its row is empty, as after os._exit and every signal."""
    assert reason(a_worker(returncode)) is expected


@pytest.mark.parametrize("returncode", [0, 1, -signal.SIGTERM, -signal.SIGQUIT, None])
@pytest.mark.parametrize("asked", [ExitReason.SCALE_DOWN, ExitReason.RECYCLE_MEMORY, ExitReason.RELOAD])
def test_one_that_was_asked_left_for_that(returncode: int | None, asked: ExitReason) -> None:
    """An error on its way out does not change why it left."""
    assert reason(a_worker(returncode, asked=asked, sent=(signal.SIGTERM,))) is asked


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_one_that_was_asked_and_then_killed_by_somebody_else_ended_by_that(number: int) -> None:
    """The arbiter sent it SIGTERM alone."""
    assert reason(a_worker(-number, asked=ExitReason.SCALE_DOWN, sent=(signal.SIGTERM,))) is ExitReason.SIGNAL


def test_one_that_overran_its_drain_and_was_killed_from_here_left_for_what_it_was_asked() -> None:
    """The kill is counted apart (gunicorn_worker_drain_kills_total)."""
    gone = a_worker(-signal.SIGKILL, asked=ExitReason.RECYCLE_LEAK, sent=(signal.SIGTERM, signal.SIGKILL))

    assert reason(gone) is ExitReason.RECYCLE_LEAK


def test_one_that_the_law_has_named_and_nobody_has_signalled_was_not_asked_yet() -> None:
    """It crashed in the moment before."""
    gone = a_worker(-signal.SIGSEGV, asked=ExitReason.RECYCLE_SIZE)
    gone.draining = False

    assert reason(gone) is ExitReason.SIGNAL


@pytest.mark.parametrize("returncode", [1, -signal.SIGABRT, -signal.SIGKILL, None])
def test_a_timeout_is_a_timeout(returncode: int | None) -> None:
    """Whether the worker still answers SIGABRT or Gunicorn must kill it; also while it drains."""
    sent = (signal.SIGABRT, signal.SIGKILL)
    gone = a_worker(returncode, aborted=True, sent=sent)
    draining = a_worker(returncode, asked=ExitReason.SCALE_DOWN, aborted=True, sent=sent)

    assert (reason(gone), reason(draining)) == (ExitReason.TIMEOUT, ExitReason.TIMEOUT)


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        (layout.LEFT_AS_TOLD, ExitReason.TERMINATED),
        (layout.LEFT_FOR_SOURCE, ExitReason.RELOAD),
        (layout.LEFT_FOR_REQUESTS, ExitReason.RECYCLE_REQUESTS),
        (0, ExitReason.EXIT),
        (0xFFFF, ExitReason.EXIT),
    ],
)
@pytest.mark.parametrize("seen", [True, False])
def test_one_that_left_with_code_0_is_taken_at_its_word(note: int, expected: ExitReason, seen: bool) -> None:
    """Its own note also stands in where nobody saw it end; a note that means nothing says nothing."""
    gone = a_worker(0 if seen else None)
    assert gone.row is not None
    recorder.mark_exit(gone.row, 0, note)

    assert reason(gone) is expected


@pytest.mark.parametrize("seen", [True, False])
def test_an_exit_code_wins_over_the_note(seen: bool) -> None:
    """A worker that was told to leave and failed doing so has failed."""
    gone = a_worker(3 if seen else None)
    assert gone.row is not None
    recorder.mark_exit(gone.row, 3, layout.LEFT_AS_TOLD)

    assert reason(gone) is ExitReason.ERROR


@pytest.mark.parametrize(
    ("max_requests", "expected"), [(LIMITED, ExitReason.RECYCLE_REQUESTS), (UNLIMITED, ExitReason.UNKNOWN)]
)
def test_a_worker_class_that_tells_nothing_is_not_made_up(max_requests: int, expected: ExitReason) -> None:
    """Uvicorn's keeps max_requests itself; without one nobody knows whether it was told to leave."""
    assert reason(a_worker(0, max_requests=max_requests), records=False) is expected


@pytest.mark.parametrize("returncode", [0, -signal.SIGTERM])
def test_at_a_stop_of_the_whole_group_the_server_was_stopped(returncode: int) -> None:
    """systemd signals every process of the unit, workers before the arbiter has asked them."""
    assert reason(a_worker(returncode), frozen="shutdown") is ExitReason.SHUTDOWN


@pytest.mark.parametrize(
    ("alive", "served", "changed", "note"),
    [
        (True, 3, False, 0),
        (False, 3, False, layout.LEFT_AS_TOLD),
        (False, 100, False, layout.LEFT_FOR_REQUESTS),
        (False, 3, True, layout.LEFT_FOR_SOURCE),
    ],
)
def test_a_worker_notes_why_its_loop_ended(alive: bool, served: int, changed: bool, note: int) -> None:
    """Told by a signal, at max_requests, for changed code; or not at all, when the app calls sys.exit."""
    leaving = a_worker(None)
    leaving.source_changed = changed
    worker.before_exit(SimpleNamespace(autotune=leaving, pid=os.getpid(), alive=alive, nr=served, max_requests=LIMITED))
    assert leaving.row is not None

    assert leaving.row[layout.EXIT] >> layout.EXIT_NOTE_SHIFT == note


@pytest.mark.parametrize("how", [lambda: os._exit(7), lambda: os.kill(os.getpid(), signal.SIGKILL)])
def test_how_a_worker_ended_is_seen_and_left_for_gunicorn_to_reap(how) -> None:
    """Gunicorn's own wait finds it still."""
    pid = os.fork()
    if pid == 0:
        how()
    tracked = a_worker(None)
    server = SimpleNamespace(WORKERS={pid: SimpleNamespace(autotune=tracked), os.getpid(): SimpleNamespace()})
    deadline = time.monotonic() + 10
    while tracked.returncode is None and time.monotonic() < deadline:
        exits.look_before_reap(server)
    _, status = os.waitpid(pid, 0)

    assert tracked.returncode == os.waitstatus_to_exitcode(status)


def test_every_reason_is_explained() -> None:
    """On docs/metrics.md."""
    assert set(EXIT_MEANINGS) == set(ExitReason)
