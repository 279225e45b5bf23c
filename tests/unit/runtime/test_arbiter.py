"""The arbiter's methods as we extend them: what Gunicorn's own still gets to do, and when ours steps in."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gunicorn
import pytest
from tests.unit.runtime.arbiters import Arbiter, Clock, running

from gunicorn_autotune.model.status import Door, Mode
from gunicorn_autotune.runtime import arbiter as extended
from gunicorn_autotune.runtime import written
from gunicorn_autotune.scoreboard import layout


class Plain(Arbiter):
    """Gunicorn's own part, which only notes that it was called."""

    calls: list[tuple[Any, ...]]

    def murder_workers(self) -> None:
        """Once every turn."""
        self.calls.append(("murder",))

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        """From 25.1 on: the signals that came."""
        self.calls.append(("wait", timeout))
        return [signal.SIGHUP]

    def sleep(self) -> None:
        """Before 25.1."""
        self.calls.append(("sleep",))

    def manage_workers(self) -> None:
        """Terminates the lowest ages."""
        self.calls.append(("manage", sorted(worker.age for worker in self.WORKERS.values())))

    def spawn_workers(self) -> None:
        """With a pause after each fork."""
        self.calls.append(("spawn_workers",))

    def spawn_worker(self) -> None:
        """One fork."""
        self.calls.append(("spawn_worker",))
        self.spawn()

    def kill_worker(self, pid: int, sig: int) -> None:
        """Sends it."""
        self.calls.append(("kill", pid, sig))

    def reload(self) -> None:
        """Freezes what is seen meanwhile."""
        self.calls.append(("reload", self.autotune.acting, self.autotune.frozen))

    def reexec(self) -> None:
        """The environment that the new master gets."""
        self.calls.append(("reexec", dict(self.cfg.env_orig)))

    def stop(self, graceful: bool = True) -> None:
        """What readers know by then."""
        self.calls.append(("stop", graceful, self.autotune.frozen))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Clock]]:
    """An extended arbiter with two workers that have been up for 100 s."""
    with running(monkeypatch) as (server, clock):
        monkeypatch.setattr(extended, "time", clock)
        server.__class__ = type("Arbiter", (extended.AutotuneArbiter, Plain), {})
        server.calls = []  # type: ignore[attr-defined]
        server.cfg.env_orig = {}
        yield server, clock


@pytest.fixture
def server(site: tuple[Any, Clock]) -> Any:
    """The arbiter alone."""
    return site[0]


def broken(*_: Any, **__: Any) -> None:
    """A part of ours that fails."""
    raise RuntimeError("on purpose")


def test_silent_workers_are_looked_for_once_a_second(site):
    """However often the loop turns: the second look kills whom the first one aborted. The tick stands in every turn."""
    server, clock = site
    for _ in range(8):
        clock.now += 0.25
        server.murder_workers()

    assert ([("murder",)] * 2, 8) == (server.calls, server.autotune.tally.ticks)


def test_silent_workers_are_looked_for_at_every_turn_when_ours_fails(server, monkeypatch):
    """As on plain Gunicorn."""
    monkeypatch.setattr(extended, "_murder_due", broken)
    server.murder_workers()
    server.murder_workers()

    assert [("murder",)] * 2 == server.calls


def test_the_loop_wakes_up_for_the_next_tick(server, monkeypatch):
    """And never later than Gunicorn wanted; what came meanwhile is Gunicorn's."""
    assert [signal.SIGHUP] == server.wait_for_signals(1.0)
    server.wait_for_signals(0.01)
    monkeypatch.setattr(extended, "_shorter", broken)
    server.wait_for_signals()

    assert [("wait", 0.25), ("wait", 0.01), ("wait", 1.0)] == server.calls


def test_an_old_gunicorn_sleeps_by_itself_only_when_ours_fails(server, monkeypatch):
    """Not twice."""
    slept = []
    monkeypatch.setattr(extended.compat, "short_sleep", lambda _, seconds: slept.append(seconds))
    server.sleep()
    before = list(server.calls)
    monkeypatch.setattr(extended.compat, "short_sleep", broken)
    server.sleep()

    assert ([0.25], [], [("sleep",)]) == (slept, before, server.calls)


def test_missing_workers_are_forked_without_a_pause(server):
    """Those that leave are no capacity: two of five are missing beside one that drains."""
    server.num_workers = 3
    server.autotune.tracked[1].draining = True
    server.spawn_workers()

    assert [("spawn_worker",)] * 2 == server.calls


def test_nobody_is_forked_while_enough_serve(server):
    """And never fewer than none."""
    server.num_workers = 1
    server.spawn_workers()

    assert [] == server.calls


def test_where_we_only_observe_gunicorn_forks_in_its_own_way(server):
    """With its pauses."""
    server.autotune.mode = Mode.OBSERVE
    server.spawn_workers()

    assert [("spawn_workers",)] == server.calls


@pytest.mark.parametrize(("mode", "frozen"), [(Mode.OBSERVE, None), (Mode.FALLBACK, None), (Mode.ACTIVE, "upgrade")])
def test_who_leaves_is_gunicorns_choice_where_the_count_is_not_ours(server, mode, frozen):
    """The oldest."""
    server.autotune.mode, server.autotune.frozen, server.num_workers = mode, frozen, 1
    server.manage_workers()

    assert [("manage", [1, 2])] == server.calls


def test_the_idle_one_stands_first_in_line_when_one_must_leave(server):
    """The first is busy: the second gets an age below all others."""
    server.autotune.tracked[1].row[layout.CELLS] = 990 * 10**9
    server.num_workers = 1
    server.manage_workers()

    assert ([("manage", [-1, 1])], -1) == (server.calls, server.autotune.tracked[2].worker.age)


@pytest.mark.parametrize(("workers", "pid", "contained"), [(2, 0, True), (0, 0, False), (2, 1, False)])
def test_a_fork_that_fails_ends_no_server_that_serves(server, monkeypatch, workers, pid, contained):
    """Without a worker, or in a child, it is Gunicorn's to raise."""
    server.num_workers, server.pid = 4, server.pid + pid
    for _ in range(2 - workers):
        server.WORKERS.popitem()
    monkeypatch.setattr(server, "spawn_worker", lambda: (_ for _ in ()).throw(OSError(11, "no more processes")))
    if contained:
        server.spawn_workers()
        assert 2 == server.num_workers
        assert server.autotune.boot_backoff_until is not None
    else:
        with pytest.raises(OSError, match="no more processes"):
            server.spawn_workers()


def test_a_signal_too_soon_is_not_sent(server):
    """SIGTERM once a second; the first marks the worker as leaving."""
    (pid, _) = server.WORKERS
    server.kill_worker(pid, signal.SIGTERM)
    server.kill_worker(pid, signal.SIGTERM)

    assert ([("kill", pid, signal.SIGTERM)], True) == (server.calls, server.autotune.tracked[1].draining)


@pytest.mark.parametrize(
    ("mode", "ready", "pid", "codes"),
    [
        (Mode.ACTIVE, True, 0, (-1, -1)),
        (Mode.ACTIVE, False, 0, (3, 4)),
        (Mode.OBSERVE, True, 0, (3, 4)),
        (Mode.ACTIVE, True, 1, (3, 4)),
    ],
)
def test_a_failed_boot_ends_the_server_only_where_nobody_serves(server, mode, ready, pid, codes):
    """Gunicorn compares a worker's exit code with these; in the worker itself they are its own."""
    server.autotune.mode, server.pid = mode, server.pid + pid
    for tracked in server.autotune.tracked.values():
        tracked.row[layout.READY_NS] *= ready

    assert codes == (server.WORKER_BOOT_ERROR, server.APP_LOAD_ERROR)


def test_a_failed_boot_is_gunicorns_when_ours_fails(server, monkeypatch):
    """Counted at the door."""
    monkeypatch.setattr(extended, "_boot_error", broken)

    assert (3, 4, 2) == (
        server.WORKER_BOOT_ERROR, server.APP_LOAD_ERROR, server.autotune.tally.door_errors[Door.BOOT_ERROR],
    )  # fmt: skip


def test_a_reload_is_frozen_from_its_first_line_to_its_end(server, monkeypatch):
    """Also one that raises."""
    monkeypatch.setattr(extended.reload, "begin", lambda *_: None)
    monkeypatch.setattr(extended.reload, "finish", lambda *_: server.calls.append(("finish",)))
    server.reload()

    assert ([("reload", True, "reload"), ("finish",)], False, None) == (
        server.calls, server.autotune.acting, server.autotune.frozen,
    )  # fmt: skip


def test_an_upgrade_hands_count_and_address_to_the_new_master_only(server):
    """The present environment forgets them again."""
    server.num_workers, server.autotune.written_workers = 5, 2
    server.autotune.exporter = SimpleNamespace(kept="127.0.0.1:9000", stop=lambda: None)
    server.reexec()
    handed = {extended.COUNT_BEFORE_UPGRADE: "5/2", extended.METRICS_BEFORE_UPGRADE: "127.0.0.1:9000"}

    assert ([("reexec", handed)], {}) == (server.calls, server.cfg.env_orig)


@pytest.mark.parametrize(
    ("count", "mode", "now", "taken"),
    [
        ("5/2", Mode.ACTIVE, 2, 5),
        ("5/None", Mode.ACTIVE, None, 5),
        ("5/2", Mode.ACTIVE, None, 5),
        ("5/2", Mode.ACTIVE, 3, 2),
        ("5/2", Mode.OBSERVE, 2, 2),
        ("0/2", Mode.ACTIVE, 2, 2),
        ("many/2", Mode.ACTIVE, 2, 2),
        ("", Mode.ACTIVE, 2, 2),
    ],
)
def test_a_new_master_begins_with_the_count_of_the_old_one(server, monkeypatch, count, mode, now, taken):
    """Unless another one has been written since, or the old one had been asked for none. It is taken once."""
    monkeypatch.setenv(extended.COUNT_BEFORE_UPGRADE, count)
    server.autotune.mode, server.autotune.written_workers = mode, now
    extended._take_over_count(server)

    assert (taken, None) == (server.num_workers, os.environ.get(extended.COUNT_BEFORE_UPGRADE))


@pytest.mark.parametrize(("graceful", "child", "stops"), [(True, 0, 1), (False, 0, 1), (True, 7, 2)])
def test_a_stop_is_told_before_it_begins(server, graceful, child, stops):
    """The exporter goes last; beside a new master it goes first too, which answers from now on."""
    stopped: list[int] = []
    server.reexec_pid = child
    server.autotune.exporter = SimpleNamespace(kept="", stop=lambda: stopped.append(len(server.calls)))
    server.stop(graceful)

    assert ([("stop", graceful, "shutdown")], stops) == (server.calls, len(stopped))
    assert 1 == stopped[-1]


@pytest.mark.parametrize(
    ("wrote", "runs", "said"),
    [(None, 2, 0), (2, 2, 0), (75, 75, 1), (75, 5, 0)],
    ids=["none", "same", "ours", "theirs"],
)
def test_a_keepalive_of_our_configuration_is_said_where_it_is_in_force(server, monkeypatch, wrote, runs, said):
    """Where somebody wrote another one it is not."""
    monkeypatch.setattr(written, "keepalive", wrote)
    monkeypatch.setattr(written, "beneath", "")
    server.cfg.set("keepalive", runs)
    notes = written.notes(server.cfg)

    assert said == len(notes)
    assert all(text == "keepalive = 75 comes from gunicorn_autotune.conf; Gunicorn's own is 2" for text in notes)


def test_the_log_names_the_gunicorn_it_runs_in():
    """What a report of a fault needs first."""
    assert gunicorn.__version__ == extended._version()


def test_what_an_old_master_handed_over_is_forgotten_where_nobody_takes_it(server, monkeypatch):
    """Autotune is off: neither this process nor the next master may find it."""
    for name in (extended.COUNT_BEFORE_UPGRADE, extended.METRICS_BEFORE_UPGRADE):
        monkeypatch.setenv(name, "5/2")
        server.cfg.env_orig[name] = "5/2"
    extended.forget_upgrade(server)

    assert ({}, None, None) == (
        server.cfg.env_orig, os.environ.get(extended.COUNT_BEFORE_UPGRADE),
        os.environ.get(extended.METRICS_BEFORE_UPGRADE),
    )  # fmt: skip


def test_an_adoption_that_fails_leaves_class_count_and_hooks_as_they_were(server, monkeypatch):
    """However far it had come."""
    server.__class__ = Plain
    hook = server.cfg.settings["pre_fork"].get()

    def fails(server: Any, policy: Any) -> None:
        server.__class__, server.num_workers = type("Arbiter", (extended.AutotuneArbiter, Plain), {}), 9
        server.cfg.set("pre_fork", lambda server, worker: None)
        raise RuntimeError("on purpose")

    monkeypatch.setattr(extended, "_extend", fails)
    monkeypatch.setattr(extended.compat, "missing_names", lambda _: [])
    with pytest.raises(RuntimeError, match="on purpose"):
        extended.adopt(server, server.autotune.policy)

    assert (Plain, 2, hook) == (type(server), server.num_workers, server.cfg.settings["pre_fork"].get())
