"""A worker that leaves may hold its connections for as long as it was granted, and no longer."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.model.decisions import Action, Cause, Decision, Reason
from gunicorn_autotune.model.status import Mode, Tally
from gunicorn_autotune.runtime import actuator, drains
from gunicorn_autotune.runtime.state import Tracked
from gunicorn_autotune.scoreboard import layout
from gunicorn_autotune.testing import a_policy

LEFT_AT, GRACE_SECONDS, HOLD_SECONDS = 100.0, 30, 600.0
LIMIT = GRACE_SECONDS + drains.MARGIN_SECONDS


class GthreadLike:
    """A worker whose class is Gunicorn's gthread, as far as its module tells."""

    pid, age = 7, 1

    def __init__(self) -> None:
        self.beats = 0
        self.tmp = self
        self.cfg = SimpleNamespace(graceful_timeout=GRACE_SECONDS, timeout=30)

    def notify(self) -> None:
        """Count a beat."""
        self.beats += 1


class GeventLike(GthreadLike):
    """Its own loop beats until the end."""


GthreadLike.__module__, GeventLike.__module__ = "gunicorn.workers.gthread", "gunicorn.workers.base_async"


class Leaving:
    """One worker that was told to leave at LEFT_AT, and the arbiter's side of it."""

    def __init__(
        self,
        *,
        hold_seconds: float = HOLD_SECONDS,
        sockets: int = 1,
        worker: Any = None,
        threads: int = 4,
        operators: bool = False,
        put_off_at: float | None = None,
        held_from: float | None = None,
    ) -> None:
        self.worker = worker or GthreadLike()
        self.row = memoryview(bytearray(layout.WORD_BYTES * layout.ROW_WORDS)).cast("Q")
        self.row[layout.WEBSOCKETS] = sockets
        self.tracked = Tracked(self.worker, 1, 0, self.row, spawned_at=0.0, draining=True, draining_at=LEFT_AT)
        self.tracked.held_from = held_from
        self.sent: list[int] = []
        self.said: list[str] = []
        self.server: Any = SimpleNamespace(
            cfg=SimpleNamespace(graceful_timeout=GRACE_SECONDS, timeout=30), WORKERS={7: self.worker},
            kill_worker=lambda _pid, sig: self.sent.append(sig),
            log=SimpleNamespace(error=self.said.append, info=self.said.append),
        )  # fmt: skip
        self.tune: Any = SimpleNamespace(
            mode=Mode.ACTIVE, threads=threads, records=True, tracked={1: self.tracked}, tally=Tally(),
            hold_seconds=hold_seconds, operators_count=operators,
            snapshot=SimpleNamespace(at=1.0), history=SimpleNamespace(short_at=None, held_from=put_off_at),
        )  # fmt: skip
        drains.let_hold(self.server, self.tune, self.tracked)

    def after(self, *seconds: float) -> list[int]:
        """Signals sent, when looked at so many seconds after it was told to leave."""
        for one in seconds:
            drains.end_overdue(self.server, self.tune, LEFT_AT + one)
        return self.sent


def test_it_stays_as_long_as_it_holds() -> None:
    """Nobody ends a socket before its time."""
    assert Leaving().after(LIMIT + 1, HOLD_SECONDS) == []


def test_its_own_gunicorn_is_told() -> None:
    """In the row, in whole seconds, and in the log."""
    leaving = Leaving()

    assert leaving.row[layout.GRACE_SECONDS] == HOLD_SECONDS
    assert leaving.said == ["autotune: worker leaves pid=7 held_connections=1 waits_seconds=600"]


def test_an_operators_worker_has_graceful_timeout() -> None:
    """As in Gunicorn; and what it holds is said all the same."""
    leaving = Leaving(operators=True)

    assert (leaving.after(1e6), leaving.row[layout.GRACE_SECONDS]) == ([], 0)
    assert leaving.said[0] == "autotune: worker leaves pid=7 held_connections=1 waits_seconds=30"


@pytest.mark.parametrize(
    ("put_off", "held", "seconds"),
    [(500.0, 900.0, 100), (500.0, 200.0, 400), (900.0, 900.0, 0), (None, 900.0, 600), (500.0, None, 600)],
)
def test_the_wait_is_bounded_once(
    put_off: float | None, held: float | None, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many seconds ago the shrink was put off and it began to hold: what both had is taken off its time."""
    monkeypatch.setattr(drains.time, "monotonic", lambda: 1000.0)
    leaving = Leaving(
        put_off_at=None if put_off is None else 1000.0 - put_off, held_from=None if held is None else 1000.0 - held
    )

    assert leaving.row[layout.GRACE_SECONDS] == seconds


def test_a_sync_worker_is_granted_nothing() -> None:
    """Gunicorn's own timeout is for the one request it is in."""
    leaving = Leaving(threads=1)

    assert (leaving.tracked.hold_seconds, leaving.row[layout.GRACE_SECONDS]) == (0.0, 0)


@pytest.mark.parametrize(("seconds", "sent"), [(605.0, []), (605.1, [signal.SIGQUIT])])
def test_its_time_ends(seconds: float, sent: list[int]) -> None:
    """It should have ended by itself; asked once to quit, the rest is Gunicorn's, and nobody beats for it."""
    leaving = Leaving()
    leaving.after(seconds, seconds + 0.25 * bool(sent))

    assert leaving.sent == sent


def test_who_holds_nothing_any_more_need_not_wait() -> None:
    """A silent client keeps it, perhaps: asked to quit, and killed when Gunicorn's own time is over as well."""
    assert Leaving(sockets=0).after(LIMIT, LIMIT + 0.1, LIMIT + 30.1) == [signal.SIGQUIT, signal.SIGKILL]


def test_memory_that_is_short_ends_the_wait() -> None:
    """But not sooner than graceful_timeout."""
    leaving = Leaving()
    leaving.tune.history.short_at = leaving.tune.snapshot.at

    assert (leaving.after(LIMIT) == [], leaving.after(LIMIT + 0.1)) == (True, [signal.SIGQUIT])


@pytest.mark.parametrize(("worker", "beats"), [(GthreadLike(), 2), (GeventLike(), 0)])
def test_its_heart_is_kept_beating_where_its_class_does_not(worker: Any, beats: int) -> None:
    """Or Gunicorn would abort it for its silence."""
    Leaving(worker=worker).after(1.0, 2.0)

    assert worker.beats == beats


@pytest.mark.parametrize(
    ("action", "reason", "cause", "seconds"),
    [
        (Action.SHRINK, Reason.LOAD_FELL, None, 600.0),
        (Action.ROLLBACK, Reason.NO_GAIN, None, 600.0),
        (Action.SHRINK, Reason.RECYCLE, Cause.AGE, 600.0),
        (Action.SHRINK, Reason.RECYCLE, Cause.OPERATOR, 600.0),
        (Action.SHRINK, Reason.RECYCLE, Cause.MEMORY, 0.0),
        (Action.SHRINK, Reason.RECYCLE, Cause.RELOAD, 0.0),
        (Action.SHRINK, Reason.DRAIN_FIRST, Cause.AGE, 0.0),
        (Action.SHRINK, Reason.MEMORY, None, 0.0),
        (Action.SHRINK, Reason.OOM_KILL, None, 0.0),
    ],
)
def test_what_only_we_want_may_wait(action: Action, reason: Reason, cause: Cause | None, seconds: float) -> None:
    """Memory cannot, a reload is Gunicorn's own, and a replacement without room needs the old one gone."""
    policy = a_policy(recycle_hold_seconds=600)

    assert actuator.hold_seconds(policy, Decision(action, reason, 1, cause=cause)) == seconds
