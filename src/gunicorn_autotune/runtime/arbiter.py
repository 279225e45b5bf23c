"""The arbiter, extended in place: its class becomes a subclass of its own class when it starts.

The subclass adds a tick to Gunicorn's loop and changes four things: the loop wakes up in time to see a queue, workers
are spawned without a sleep between them, victims are chosen, and a failed boot of an added worker does not stop a
server that serves. Everything else is told to us through Gunicorn's public hooks.
"""

from __future__ import annotations

import os
import time
from typing import Any

from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.model.status import Mode
from gunicorn_autotune.runtime import actuator, commands, compat, hooks, reload, ticker, user_metrics
from gunicorn_autotune.runtime.log import line
from gunicorn_autotune.runtime.setup import new_autotune
from gunicorn_autotune.runtime.state import Autotune

GUNICORN_LOOP_SECONDS = 0.9
"""Gunicorn's own loop turns once a second, ours more often."""
NO_EXIT_CODE = -1
"""Not None: that is what Gunicorn compares for a worker that died by a signal."""
COUNT_BEFORE_UPGRADE = "AUTOTUNE_COUNT_BEFORE_UPGRADE"
"""Environment variable from an old master to the new one; not among those that are settings."""


class AutotuneArbiter:
    """Mixed in before Gunicorn's own arbiter class; `self.autotune` is our state."""

    autotune: Autotune

    def murder_workers(self) -> None:
        """Gunicorn calls this exactly once every turn of its loop, and then manage_workers: the tick stands between."""
        now = time.monotonic()
        if now - self.autotune.murdered_at >= GUNICORN_LOOP_SECONDS:
            # Its first call aborts a silent worker, the next kills it: our shorter loop must not shorten its mercy.
            self.autotune.murdered_at = now
            super().murder_workers()  # type: ignore[misc]
        ticker.tick(self, self.autotune)

    def wait_for_signals(self, timeout: float = 1.0) -> Any:
        """Gunicorn from 25.1 on waits here."""
        return super().wait_for_signals(timeout=min(timeout, self.autotune.policy.tick_seconds))  # type: ignore[misc]

    def sleep(self) -> None:
        """Gunicorn before 25.1 waits here."""
        compat.short_sleep(self, self.autotune.policy.tick_seconds)

    def manage_workers(self) -> None:
        """Spawn what is missing, choose who leaves; then Gunicorn's own, which terminates the lowest ages.

        Draining workers stay in WORKERS until they are reaped. Gunicorn counts them, so that a shrink followed by a
        growth would spawn nothing; we do not.
        """
        if self.autotune.mode is Mode.ACTIVE and self.autotune.frozen is None:
            self.spawn_workers()
            actuator.mark_victims(self, self.autotune)
        super().manage_workers()  # type: ignore[misc]

    def spawn_workers(self) -> None:
        """As Gunicorn's, which sleeps up to 0.1 s after each fork: growing by 8 would hold the loop for 0.4 s."""
        server: Any = self
        draining = sum(tracked.draining for tracked in actuator.followed(self, self.autotune))
        try:
            for _ in range(server.num_workers - (len(server.WORKERS) - draining)):
                server.spawn_worker()
        except OSError as error:
            if os.getpid() != server.pid or not server.WORKERS:
                raise
            actuator.roll_back_boot(self, self.autotune, f"fork failed: {error}")

    def kill_worker(self, pid: int, sig: int) -> None:
        """Note who was asked to leave, whoever asked. SIGTERM is repeated once a second, as it always was."""
        if hooks.before_kill(self, self.autotune, pid, sig):
            super().kill_worker(pid, sig)  # type: ignore[misc]

    def setup(self, app: Any) -> None:
        """A reload makes a new configuration here: chain our hooks onto it before it is used."""
        super().setup(app)  # type: ignore[misc]
        hooks.chain(self, self.autotune)

    def reload(self) -> None:
        """Frozen from the first line: the set doubles for a moment and the counts mean nothing."""
        tune = self.autotune
        ticker.publish_frozen(self, tune, "reload")
        reload.begin(self, tune)
        tune.acting = True
        try:
            super().reload()  # type: ignore[misc]
        finally:
            reload.finish(self, tune)
            tune.acting = False
            tune.frozen = None

    def reexec(self) -> None:
        """USR2: the new master begins with the tuned count, as a reload does, not with the configured one."""
        environment = self.cfg.env_orig  # type: ignore[attr-defined]
        environment[COUNT_BEFORE_UPGRADE] = str(reload.standing_target(self, self.autotune))
        try:
            super().reexec()  # type: ignore[misc]
        finally:
            environment.pop(COUNT_BEFORE_UPGRADE, None)

    def stop(self, graceful: bool = True) -> None:
        """Readers learn at once that this server is leaving."""
        commands.stop(self.autotune)
        ticker.publish_frozen(self, self.autotune, "shutdown")
        super().stop(graceful)  # type: ignore[misc]

    @property
    def WORKER_BOOT_ERROR(self) -> int:  # noqa: N802
        """3, which halts the server; nothing an exit code can equal while others serve."""
        return self._boot_error(3)

    @property
    def APP_LOAD_ERROR(self) -> int:  # noqa: N802
        """4, likewise."""
        return self._boot_error(4)

    def _boot_error(self, code: int) -> int:
        server: Any = self
        in_arbiter = os.getpid() == server.pid
        contained = in_arbiter and self.autotune.mode is Mode.ACTIVE and actuator.ready_count(self, self.autotune)
        return NO_EXIT_CODE if contained else code


def adopt(server: Any, policy: Policy) -> None:
    """Extend this arbiter. What is missing in this Gunicorn turns us into an observer, said loudly."""
    missing = compat.missing_names(server)
    if missing:
        server.log.critical(
            line("observe only: this Gunicorn lacks names we lean on", names=",".join(missing), version=_version())
        )
        return
    user_metrics.begin()
    server.autotune = new_autotune(server, policy)
    hooks.chain(server, server.autotune)
    _take_over_count(server)
    hooks.set_first_target(server, server.autotune)
    server.__class__ = type("Arbiter", (AutotuneArbiter, server.__class__), {})
    server.log.info(
        line("ready to tune", mode=policy.mode, min_workers=policy.min_workers, metrics=policy.metrics,
             gunicorn=_version(), worker_class=server.autotune.identity.worker_class)
    )  # fmt: skip


def _take_over_count(server: Any) -> None:
    """After an upgrade: the count the old master ran with; our bounds still apply."""
    count = os.environ.pop(COUNT_BEFORE_UPGRADE, "")
    # 0: WINCH had asked the old master for none.
    if count.isdecimal() and int(count) and server.autotune.mode is Mode.ACTIVE:
        actuator.set_target(server, server.autotune, int(count))


def _version() -> str:
    from gunicorn import __version__

    return str(__version__)
