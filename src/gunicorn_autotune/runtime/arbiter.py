"""The arbiter, extended in place: its class becomes a subclass of its own class when it starts.

The subclass adds a tick to Gunicorn's loop and changes four things: the loop wakes up in time to see a queue, workers
are spawned without a sleep between them, victims are chosen, and a failed boot of an added worker does not stop a
server that serves. Everything else is told to us through Gunicorn's public hooks.
"""

from __future__ import annotations

import os
import time
from typing import Any

from gunicorn_autotune.model.intent import Intent
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.status import Door, Mode
from gunicorn_autotune.runtime import (
    actuator,
    boots,
    commands,
    compat,
    differences,
    exits,
    hooks,
    reload,
    ticker,
)
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.setup import new_autotune
from gunicorn_autotune.runtime.state import Autotune

GUNICORN_LOOP_SECONDS = 0.9
"""Gunicorn's own loop turns once a second, ours more often."""
NO_EXIT_CODE = -1
"""Not None: that is what Gunicorn compares for a worker that died by a signal."""
COUNT_BEFORE_UPGRADE = "AUTOTUNE_COUNT_BEFORE_UPGRADE"
METRICS_BEFORE_UPGRADE = "AUTOTUNE_METRICS_BEFORE_UPGRADE"
"""Environment variables from an old master to the new one; not among those that are settings."""


class AutotuneArbiter:
    """Mixed in before Gunicorn's own arbiter class; `self.autotune` is our state.

    Each method is a door (doors.py): ours goes through the guard, Gunicorn's own is called bare.
    """

    autotune: Autotune

    def murder_workers(self) -> None:
        """Gunicorn calls this exactly once every turn of its loop, and then manage_workers: the tick stands between."""
        through = self.autotune.doors.through
        if through(Door.MURDER_WORKERS, _murder_due, self.autotune, otherwise=True):
            super().murder_workers()  # type: ignore[misc]
        through(Door.TICK, ticker.tick, self, self.autotune)

    def wait_for_signals(self, timeout: float = 1.0) -> Any:
        """Gunicorn from 25.1 on waits here."""
        ours = self.autotune.doors.through(Door.WAIT_FOR_SIGNALS, _shorter, self.autotune, timeout, otherwise=timeout)
        return super().wait_for_signals(timeout=ours)  # type: ignore[misc]

    def sleep(self) -> None:
        """Gunicorn before 25.1 waits here."""
        if not self.autotune.doors.through(Door.WAIT_FOR_SIGNALS, _short_sleep, self, self.autotune, otherwise=False):
            super().sleep()  # type: ignore[misc]

    def manage_workers(self) -> None:
        """Spawn what is missing, choose who leaves; then Gunicorn's own, which terminates the lowest ages.

        Draining workers stay in WORKERS until they are reaped. Gunicorn counts them, so that a shrink followed by a
        growth would spawn nothing; we do not.
        """
        if self.autotune.mode is Mode.ACTIVE and self.autotune.frozen is None:
            self.spawn_workers()
            self.autotune.doors.through(Door.MANAGE_WORKERS, actuator.mark_victims, self, self.autotune)
        super().manage_workers()  # type: ignore[misc]

    def spawn_workers(self) -> None:
        """As Gunicorn's, which sleeps up to 0.1 s after each fork: growing by 8 would hold the loop for 0.4 s."""
        server: Any = self
        through = self.autotune.doors.through
        missing = through(Door.SPAWN_WORKERS, boots.missing_now, self, self.autotune)
        if missing is None:
            super().spawn_workers()  # type: ignore[misc]
            return
        try:
            for _ in range(missing):
                server.spawn_worker()
        except OSError as error:
            in_arbiter = os.getpid() == server.pid and server.WORKERS
            if not in_arbiter or not through(
                Door.SPAWN_WORKERS, boots.contain_failed_fork, self, self.autotune, error, otherwise=False
            ):
                raise

    def kill_worker(self, pid: int, sig: int) -> None:
        """Note who was asked to leave, whoever asked. SIGTERM is repeated once a second, as it always was."""
        if self.autotune.doors.through(Door.KILL_WORKER, hooks.before_kill, self, self.autotune, pid, sig,
                                       otherwise=True):  # fmt: skip
            super().kill_worker(pid, sig)  # type: ignore[misc]

    def reap_workers(self) -> None:
        """How a worker ended is told to nobody else; see how before it is reaped."""
        self.autotune.doors.through(Door.REAP_WORKERS, exits.look_before_reap, self)
        super().reap_workers()  # type: ignore[misc]
        self.autotune.doors.through(Door.REAP_WORKERS, _while_held, self, self.autotune)

    def setup(self, app: Any) -> None:
        """A reload makes a new configuration here: chain our hooks onto it before it is used."""
        super().setup(app)  # type: ignore[misc]
        if not isinstance(self, AutotuneArbiter):
            return  # switched off by what has just been read
        self.autotune.doors.through(Door.SETUP, hooks.chain, self, self.autotune)

    def reload(self) -> None:
        """Frozen from the first line: the set doubles for a moment and the counts mean nothing."""
        self.autotune.doors.through(Door.RELOAD, _before_reload, self, self.autotune)
        try:
            super().reload()  # type: ignore[misc]
        finally:
            self.autotune.acting, self.autotune.frozen = False, None
            self.autotune.doors.through(Door.RELOAD, reload.finish, self, self.autotune)

    def reexec(self) -> None:
        """USR2: the new master begins with the tuned count, as a reload does, and waits for our address for metrics."""
        self.autotune.doors.through(Door.REEXEC, _hand_over, self, self.autotune)
        try:
            super().reexec()  # type: ignore[misc]
        finally:
            self.autotune.doors.through(Door.REEXEC, _forget_hand_over, self)

    def stop(self, graceful: bool = True) -> None:
        """Readers learn at once that this server is leaving."""
        self.autotune.doors.through(Door.STOP, _before_stop, self, self.autotune)
        super().stop(graceful)  # type: ignore[misc]
        self.autotune.doors.through(Door.STOP, _after_stop, self.autotune)

    @property
    def WORKER_BOOT_ERROR(self) -> int:  # noqa: N802
        """3, which halts the server; nothing an exit code can equal while others serve."""
        return int(self.autotune.doors.through(Door.BOOT_ERROR, _boot_error, self, self.autotune, 3, otherwise=3))

    @property
    def APP_LOAD_ERROR(self) -> int:  # noqa: N802
        """4, as WORKER_BOOT_ERROR."""
        return int(self.autotune.doors.through(Door.BOOT_ERROR, _boot_error, self, self.autotune, 4, otherwise=4))


def _while_held(server: Any, tune: Autotune) -> None:
    """Gunicorn's reload waits for the old workers, up to graceful_timeout without a tick, and reaps them meanwhile.

    Gunicorn before 25.1 does not wait there, and reaps in a signal handler, where nothing may be started.
    """
    if tune.frozen == "reload" and hasattr(server, "wait_for_signals"):
        ticker.tend_exporter(tune, time.monotonic())


def _murder_due(tune: Autotune) -> bool:
    """Its first call aborts a silent worker, the next kills it: our shorter loop must not shorten its mercy."""
    now = time.monotonic()
    if now - tune.murdered_at < GUNICORN_LOOP_SECONDS:
        return False
    tune.murdered_at = now
    return True


def _shorter(tune: Autotune, timeout: float) -> float:
    return min(timeout, tune.policy.tick_seconds)


def _short_sleep(server: Any, tune: Autotune) -> bool:
    compat.short_sleep(server, tune.policy.tick_seconds)
    return True


def _before_reload(server: Any, tune: Autotune) -> None:
    tune.acting = True
    ticker.publish_frozen(server, tune, "reload")
    reload.begin(server, tune)


def _hand_over(server: Any, tune: Autotune) -> None:
    server.cfg.env_orig[COUNT_BEFORE_UPGRADE] = f"{reload.standing_target(server, tune)}/{tune.written_workers}"
    server.cfg.env_orig[METRICS_BEFORE_UPGRADE] = tune.exporter.kept if tune.exporter is not None else ""


def _forget_hand_over(server: Any) -> None:
    server.cfg.env_orig.pop(COUNT_BEFORE_UPGRADE, None)
    server.cfg.env_orig.pop(METRICS_BEFORE_UPGRADE, None)


def _before_stop(server: Any, tune: Autotune) -> None:
    commands.stop(tune)
    ticker.publish_frozen(server, tune, "shutdown")
    if server.reexec_pid:
        # The new master serves: its exporter answers for this host from now on, not one that says "shutting down".
        _after_stop(tune)


def _after_stop(tune: Autotune) -> None:
    if tune.exporter is not None:
        tune.exporter.stop()


def _boot_error(server: Any, tune: Autotune, code: int) -> int:
    contained = os.getpid() == server.pid and tune.mode is Mode.ACTIVE and actuator.ready_count(server, tune)
    return NO_EXIT_CODE if contained else code


def adopt(server: Any, policy: Policy) -> None:
    """Extend this arbiter, wholly or not at all. A Gunicorn that lacks a name we lean on stays as it is, said loudly.

    Whatever raises here is logged by compat.extend_arbiter, and Gunicorn serves on without us.
    """
    missing = compat.missing_names(server)
    if missing:
        server.log.critical(
            line("observe only: this Gunicorn lacks names we lean on", names=",".join(missing), version=_version())
        )
        return
    plain = server.__class__, server.num_workers, {name: server.cfg.settings[name].get() for name in hooks.CHAINED}
    try:
        meant = _extend(server, policy)
    except BaseException:
        server.__class__, server.num_workers = plain[0], plain[1]
        for name, hook in plain[2].items():
            server.cfg.set(name, hook)
        raise
    server.log.info(
        line("ready to tune", mode=policy.mode, min_workers=meant.policy.min_workers, metrics=policy.metrics,
             gunicorn=_version(), worker_class=server.autotune.identity.worker_class)
    )  # fmt: skip
    differences.tell(server, server.autotune, meant)


def _extend(server: Any, policy: Policy) -> Intent:
    meant = differences.intended(server, policy)
    server.autotune = new_autotune(server, meant.policy)
    server.autotune.written_workers = meant.workers
    server.__class__ = type("Arbiter", (AutotuneArbiter, server.__class__), {})
    hooks.chain(server, server.autotune)
    _take_over_count(server)
    server.autotune.exporter.inherit(os.environ.pop(METRICS_BEFORE_UPGRADE, ""), server.master_pid)
    hooks.set_first_target(server, server.autotune)
    return meant


def _take_over_count(server: Any) -> None:
    """After an upgrade: the count the old master ran with, unless another one has been written; our bounds apply."""
    count, _, before = os.environ.pop(COUNT_BEFORE_UPGRADE, "").partition("/")
    now = server.autotune.written_workers
    # 0: WINCH had asked the old master for none.
    if count.isdecimal() and int(count) and now in (None, _number(before)) and server.autotune.mode is Mode.ACTIVE:
        actuator.set_target(server, server.autotune, int(count))


def forget_upgrade(server: Any) -> None:
    """What an old master handed over and nobody takes must not reach the next one."""
    os.environ.pop(COUNT_BEFORE_UPGRADE, None)
    os.environ.pop(METRICS_BEFORE_UPGRADE, None)
    _forget_hand_over(server)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _version() -> str:
    from gunicorn import __version__

    return str(__version__)
