"""What our hooks make of Gunicorn's calls: who left and why, who is leaving, whose count it is, the user's own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from tests.unit.runtime.arbiters import Arbiter, Clock, running

from gunicorn_autotune.model.status import ExitReason, Mode
from gunicorn_autotune.runtime import hooks
from gunicorn_autotune.runtime import worker as in_worker
from gunicorn_autotune.scoreboard import layout


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Arbiter, Clock]]:
    """Three workers that have been up for 100 s."""
    with running(monkeypatch, workers=3, boot_backoff_seconds=10) as there:
        yield there


@pytest.fixture
def arbiter(site) -> Arbiter:
    """The arbiter alone."""
    return site[0]


def exits(arbiter: Arbiter) -> dict[ExitReason, int]:
    """Counted so far."""
    return +arbiter.autotune.tally.exits


def test_a_worker_that_was_reaped_is_counted_and_its_slot_free(arbiter):
    """Its counters stay; what it was doing is over; its process files are closed."""
    tracked = arbiter.autotune.tracked[2]
    tracked.row[layout.CELLS], probe = 950 * 10**9, tracked.probe
    arbiter.reap(tracked, -signal.SIGSEGV)

    assert ({ExitReason.SIGNAL: 1}, [1, 3], [1]) == (
        exits(arbiter), list(arbiter.autotune.tracked), arbiter.autotune.free_slots,
    )  # fmt: skip
    assert (1, 0, True) == (
        arbiter.autotune.board.noted(1, layout.LOST),
        arbiter.autotune.board.row(1)[layout.CELLS],
        probe.closed,
    )
    assert arbiter.num_workers == 3


def test_an_end_is_counted_once(arbiter):
    """Gunicorn may tell it by two hooks; one that is none of ours is nothing to us."""
    tracked = arbiter.autotune.tracked[2]
    arbiter.reap(tracked, 0)
    hooks.child_exit(arbiter, arbiter.autotune, tracked.worker)
    hooks.child_exit(arbiter, arbiter.autotune, SimpleNamespace(age=1))

    assert (1, 1) == (sum(exits(arbiter).values()), len(arbiter.autotune.free_slots))


@pytest.mark.parametrize(
    ("ready", "code", "mode", "frozen", "rolled_back"),
    [
        (False, 3, Mode.ACTIVE, None, True),
        (False, 1, Mode.ACTIVE, "winch", True),
        (True, 3, Mode.ACTIVE, None, False),
        (False, 0, Mode.ACTIVE, None, False),
        (False, -signal.SIGSEGV, Mode.ACTIVE, None, False),
        (False, 3, Mode.OBSERVE, None, False),
        (False, 3, Mode.FALLBACK, None, False),
        (False, 3, Mode.ACTIVE, "shutdown", False),
    ],
)
def test_a_boot_that_failed_is_taken_back(arbiter, ready, code, mode, frozen, rolled_back):
    """Only one that failed by itself, and only where the count is ours: five were asked for, three serve."""
    arbiter.num_workers = 5
    tracked = arbiter.spawn(ready=ready)
    arbiter.autotune.mode, arbiter.autotune.frozen = mode, frozen
    arbiter.reap(tracked, code)

    assert (3 if rolled_back else 5) == arbiter.num_workers
    assert (arbiter.autotune.boot_backoff_until is not None) == rolled_back
    assert rolled_back == any(f"worker {tracked.worker.pid} failed to boot" in text for text in arbiter.log.lines)


def test_a_worker_that_was_ready_once_did_not_fail_to_boot(arbiter):
    """Its row may be cleared when it is looked at."""
    tracked = arbiter.spawn(ready=False)
    tracked.was_ready = True
    arbiter.reap(tracked, 3)

    assert arbiter.autotune.boot_backoff_until is None


def test_who_has_no_row_and_fails_to_boot_is_taken_back_too(arbiter):
    """The board was full."""
    arbiter.autotune.slots_used = arbiter.autotune.board.shape.rows
    arbiter.num_workers = 4
    arbiter.reap(arbiter.spawn(), 3)

    assert 3 == arbiter.num_workers


@pytest.mark.parametrize("inside", [True, False])
def test_a_worker_exit_means_a_reap_only_in_the_arbiter(arbiter, monkeypatch, inside):
    """The same hook runs in the worker that leaves, which must count nothing of its siblings."""
    seen = []
    monkeypatch.setattr(in_worker, "before_exit", seen.append)
    tracked = arbiter.autotune.tracked[1]
    arbiter.pid += inside
    hooks.worker_exit(arbiter, arbiter.autotune, tracked.worker)

    assert ([tracked.worker] if inside else [], 3 if inside else 2) == (seen, len(arbiter.autotune.tracked))


def signalled(arbiter: Arbiter, age: int, sig: int = signal.SIGTERM) -> bool:
    """Whether the arbiter may send it."""
    return hooks.before_kill(arbiter, arbiter.autotune, arbiter.autotune.tracked[age].worker.pid, sig)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT, signal.SIGKILL])
def test_a_worker_that_is_told_to_leave_is_no_capacity_any_more(site, sig):
    """From now on; and it is the first that Gunicorn would end again."""
    arbiter, clock = site
    assert signalled(arbiter, 2, sig)
    tracked = arbiter.autotune.tracked[2]

    assert (True, clock.now, ExitReason.SCALE_DOWN, {sig}) == (
        tracked.draining, tracked.draining_at, tracked.exit_reason, tracked.sent,
    )  # fmt: skip
    assert tracked.worker.age < 0 < arbiter.autotune.tracked[1].worker.age


@pytest.mark.parametrize("sig", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGWINCH])
def test_a_signal_that_ends_nobody_changes_nothing(arbiter, sig):
    """Log files are opened again."""
    assert signalled(arbiter, 2, sig)
    assert (False, set()) == (arbiter.autotune.tracked[2].draining, arbiter.autotune.tracked[2].sent)


def test_a_pid_that_is_none_of_ours_may_be_signalled(arbiter):
    """Gunicorn's own affair."""
    assert hooks.before_kill(arbiter, arbiter.autotune, 1, signal.SIGTERM)


@pytest.mark.parametrize(
    ("seconds", "frozen", "sent"),
    [(0.5, None, False), (0.91, None, True), (0.5, "shutdown", True), (0.5, "winch", False)],
)
def test_sigterm_is_not_repeated_at_every_turn(site, seconds, frozen, sent):
    """A second one makes some workers quit at once; a stop may hurry."""
    arbiter, clock = site
    signalled(arbiter, 2)
    clock.now += seconds
    arbiter.autotune.frozen = frozen

    assert sent == signalled(arbiter, 2)


def test_another_signal_is_never_too_soon(arbiter):
    """KILL follows TERM when the time is over; the drain began with the first."""
    signalled(arbiter, 2)
    first = arbiter.autotune.tracked[2].draining_at

    assert signalled(arbiter, 2, signal.SIGKILL)
    assert (first, {signal.SIGTERM, signal.SIGKILL}) == (
        arbiter.autotune.tracked[2].draining_at, arbiter.autotune.tracked[2].sent,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("frozen", "before", "aborted", "reason"),
    [
        (None, None, False, ExitReason.SCALE_DOWN),
        ("upgrade", None, False, ExitReason.SCALE_DOWN),
        ("reload", None, False, ExitReason.RELOAD),
        ("shutdown", None, False, ExitReason.SHUTDOWN),
        ("shutdown", ExitReason.RECYCLE_AGE, False, ExitReason.RECYCLE_AGE),
        (None, None, True, None),
    ],
)
def test_why_a_worker_leaves_is_known_when_it_is_told(arbiter, frozen, before, aborted, reason):
    """By what the arbiter is doing, unless the law named the cause or its timeout did."""
    tracked = arbiter.autotune.tracked[2]
    arbiter.autotune.frozen, tracked.exit_reason, tracked.worker.aborted = frozen, before, aborted
    signalled(arbiter, 2)

    assert reason is tracked.exit_reason


def counted(arbiter: Arbiter, new: int, old: int | None) -> bool:
    """Whether that change of the count was taken for an operator's."""
    hooks.nworkers_changed(arbiter, arbiter.autotune, new, old)
    return arbiter.autotune.held_until is not None


def test_an_operators_count_is_left_alone_for_a_while(site):
    """And said."""
    arbiter, clock = site

    assert counted(arbiter, 5, 3)
    assert (clock.now + arbiter.autotune.policy.operator_hold_seconds, True) == (
        arbiter.autotune.held_until, arbiter.autotune.operators_count,
    )  # fmt: skip
    assert arbiter.log.lines[-1].startswith("autotune: operator workers=3->5 hold_seconds=")


@pytest.mark.parametrize(("new", "set_age"), [(4, 3), (2, 0)])
def test_only_a_raise_makes_an_old_set(arbiter, new, set_age):
    """The workers that are there now are to leave first, when the count comes down again."""
    counted(arbiter, new, 3)

    assert set_age == arbiter.autotune.old_set_age


@pytest.mark.parametrize(("new", "old"), [(3, None), (3, 3)])
def test_the_first_count_and_no_change_are_nobodys(arbiter, new, old):
    """Gunicorn tells it at its start."""
    assert not counted(arbiter, new, old)


def test_a_count_of_ours_is_no_operators(arbiter):
    """Nor is one of an arbiter whose state this is not."""
    arbiter.autotune.acting = True
    assert not counted(arbiter, 5, 3)
    arbiter.autotune.acting = False
    other = SimpleNamespace(autotune=object())
    hooks.nworkers_changed(other, arbiter.autotune, 5, 3)

    assert arbiter.autotune.held_until is None


@pytest.mark.parametrize(
    ("workers", "mode", "target"),
    [(1, Mode.ACTIVE, 2), (3, Mode.ACTIVE, 3), (99, Mode.ACTIVE, 16), (99, Mode.OBSERVE, 99), (1, Mode.OBSERVE, 1)],
)
def test_the_first_count_is_within_our_bounds(arbiter, workers, mode, target):
    """Where the count is ours."""
    arbiter.num_workers, arbiter.autotune.mode = workers, mode
    hooks.set_first_target(arbiter, arbiter.autotune)

    assert target == arbiter.num_workers


def test_the_users_own_hooks_are_called_as_before(arbiter, monkeypatch):
    """After ours, and before ours once a worker is ready; a fault of ours keeps none of them back."""
    calls: list[str] = []
    signatures = {
        "pre_fork": lambda server, worker: calls.append("theirs"),
        "child_exit": lambda server, worker: calls.append("theirs"),
        "on_reload": lambda server: calls.append("theirs"),
        "nworkers_changed": lambda server, new, old: calls.append("theirs"),
        "post_worker_init": lambda worker: calls.append("theirs"),
    }
    for name, hook in signatures.items():
        arbiter.cfg.set(name, hook)
    monkeypatch.setattr(hooks.slots, "assign", lambda *_: calls.append("ours"))
    monkeypatch.setattr(hooks.worker, "after_init", lambda *_: calls.append("ours"))
    hooks.chain(arbiter, arbiter.autotune)
    arbiter.cfg.pre_fork(arbiter, None)
    arbiter.cfg.post_worker_init(None)
    assert ["ours", "theirs", "theirs", "ours"] == calls
    calls.clear()
    for name in ("child_exit", "on_reload", "nworkers_changed"):
        monkeypatch.setattr(hooks, name, lambda *_: 1 / 0)
    arbiter.cfg.child_exit(arbiter, None)
    arbiter.cfg.on_reload(arbiter)
    arbiter.cfg.nworkers_changed(arbiter, 3, 2)

    assert (["theirs"] * 3, 3) == (calls, sum(arbiter.autotune.tally.door_errors.values()))
