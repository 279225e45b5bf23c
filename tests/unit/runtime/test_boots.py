"""When the next worker is started after one that the kernel killed for memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gunicorn_autotune.model.status import ExitReason, Mode
from gunicorn_autotune.runtime import boots
from gunicorn_autotune.runtime.state import ShortLives, Tracked


class Killing:
    """An arbiter that wants three workers, whose workers are killed for memory at the times of a test's clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, others: int = 2, mode: Mode = Mode.ACTIVE) -> None:
        self.now = 1000.0
        monkeypatch.setattr(boots.time, "monotonic", lambda: self.now)
        workers: dict[int, Any] = {pid: SimpleNamespace() for pid in range(others)}
        log = SimpleNamespace(error=lambda text: self.told.append(text))
        self.told: list[str] = []
        self.server = SimpleNamespace(WORKERS=workers, num_workers=3, log=log)
        self.tune: Any = SimpleNamespace(mode=mode, short_lives=ShortLives(), tracked={})

    def kill(self, at: float, age_seconds: float = 0.5) -> None:
        """One more, so many seconds after the beginning."""
        self.now = 1000.0 + at
        gone = Tracked(SimpleNamespace(age=1, aborted=False), 1, 0, None, spawned_at=self.now - age_seconds)
        boots.note_exit(self.server, self.tune, gone, ExitReason.OOM_KILL)

    def die(self, at: float, age_seconds: float) -> None:
        """One that never answered a request ends with an error."""
        self.now = 1000.0 + at
        gone = Tracked(SimpleNamespace(age=1, aborted=False), 1, 0, None, spawned_at=self.now - age_seconds)
        boots.note_exit(self.server, self.tune, gone, ExitReason.ERROR)

    def missing(self, at: float) -> int | None:
        """How many are to be started then."""
        self.now = 1000.0 + at
        return boots.missing_now(self.server, self.tune)


@pytest.fixture(autouse=True)
def _all_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boots.actuator, "followed", lambda server, tune: [])


def test_the_next_worker_waits_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """In that time the law lowers the count to what fits."""
    killing = Killing(monkeypatch)
    killing.kill(at=0.0)

    assert (0, 1) == (killing.missing(at=0.9), killing.missing(at=1.0))


def test_workers_killed_together_make_one_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """One cut of the limit may take many in one moment."""
    killing = Killing(monkeypatch)
    for _ in range(5):
        killing.kill(at=0.0)

    assert (1, 1) == (killing.missing(at=1.0), len(killing.told))


def test_the_pauses_grow_to_ten_seconds_while_the_kernel_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's count is held, though it does not fit: no kill loop."""
    killing, at, pauses = Killing(monkeypatch), 0.0, []
    for _ in range(6):
        killing.kill(at)
        pauses.append(killing.tune.short_lives.no_start_before - 1000.0 - at)
        at += pauses[-1] + 0.1

    assert [1, 2, 4, 8, 10, 10] == [round(pause) for pause in pauses]


def test_a_kill_that_comes_a_minute_later_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened then says nothing about now."""
    killing = Killing(monkeypatch)
    for at in (0.0, 1.1, 70.0):
        killing.kill(at)

    assert 1 == killing.missing(at=71.0)


def test_the_first_start_is_at_once_where_nobody_is_left_to_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits."""
    killing = Killing(monkeypatch, others=0)
    killing.kill(at=0.0)
    first = killing.missing(at=0.0)
    killing.kill(at=0.5)

    assert (3, 0) == (first, killing.missing(at=1.0))


def test_where_we_only_observe_gunicorn_starts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own way, at once."""
    killing = Killing(monkeypatch, mode=Mode.OBSERVE)
    killing.kill(at=0.0)

    assert (None, []) == (killing.missing(at=0.0), killing.told)


@pytest.mark.parametrize(
    ("age_seconds", "started"), [(boots.SHORT_LIFE_SECONDS - 1, 0), (boots.SHORT_LIFE_SECONDS + 1, 1)]
)
def test_only_short_lives_make_the_next_start_wait(
    age_seconds: float, started: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that ran for a while and then crashed says nothing about the next boot."""
    dying = Killing(monkeypatch)
    for number in range(boots.SHORT_LIVES_FREE + 1):
        dying.die(number / 10, age_seconds)

    assert started == dying.missing(at=1.0)


def test_a_worker_that_leaks_for_a_while_costs_one_second_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed every 45 s after having served well: no loop."""
    killing = Killing(monkeypatch)
    pauses = []
    for number in range(5):
        killing.kill(at=45.0 * number, age_seconds=44.0)
        pauses.append(killing.tune.short_lives.no_start_before - killing.now)

    assert [1.0] * 5 == pauses


def test_where_nobody_is_left_one_is_started_within_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by Gunicorn; the pause was chosen while another one served."""
    killing = Killing(monkeypatch)
    for number in range(4):
        killing.kill(at=number * 8.0)
    killing.server.WORKERS.clear()

    assert (0, 1) == (killing.missing(at=24.9), killing.missing(at=25.0))
