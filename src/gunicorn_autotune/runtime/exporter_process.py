"""The exporter's process: started, watched and started again from the arbiter, without a thread.

A fresh interpreter, not a fork: it carries none of the app's memory, none of Gunicorn's sockets, and
prometheus_client never lands in the arbiter. It tells us what happens through a pipe; end of file on it means that
the process is gone, whoever reaped it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from subprocess import DEVNULL, Popen  # bound before a preloaded app may let gevent patch the module
from typing import Any

from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.scoreboard.board import Board

FIRST_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 60.0
STABLE_SECONDS = 30.0
# The arbiter's path comes last: after a USR2 upgrade of `python -m gunicorn` it begins with Gunicorn's own folder,
# whose `http` package would hide the standard one.
BOOTSTRAP = (
    "import json, sys; given = json.loads(sys.argv[1]); "
    "sys.path += [place for place in given.pop('path') if place not in sys.path]; "
    "from gunicorn_autotune.runtime.exporter_main import main; main(**given)"
)


class ExporterProcess:
    """One exporter after another, with a back-off that doubles while they die young."""

    def __init__(
        self,
        policy: Policy,
        board: Board,
        user: tuple[int, int],
        healthy_seconds: float,
        tell: Callable[[str], None],
    ) -> None:
        self.policy = policy
        self.board = board
        self.user = user
        self.healthy_seconds = healthy_seconds
        self.tell = tell
        self.pid = 0
        self._pipe: int | None = None
        self._pending = b""
        self._started_at = 0.0
        self._told = ""
        self._not_before = 0.0
        self._backoff_seconds = FIRST_BACKOFF_SECONDS

    @property
    def wanted(self) -> bool:
        """Whether the operator wants one."""
        return self.policy.metrics != "off"

    def tend(self, now: float) -> bool:
        """Pass on what it told, notice its death, start one when due. True when one was started."""
        self._listen(now)
        if self._pipe is not None or not self.wanted or now < self._not_before:
            return False
        self._start(now)
        return True

    def stop(self) -> None:
        """Ask the running one to leave (SIGTERM); a new one may be started at once."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        self._not_before = 0.0

    def forget(self) -> None:
        """In a forked worker: close our end of the pipe."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def _start(self, now: float) -> None:
        """Whatever a start may raise, it closes what it opened, is told, and the next one waits."""
        self._started_at = now
        ends: list[int] = []
        try:
            ends += os.pipe()
            reader, writer = ends
            os.set_blocking(reader, False)
            process = Popen(
                [sys.executable, "-I", "-c", BOOTSTRAP, json.dumps(self._given(writer))],
                pass_fds=(self.board.fd, writer),
                stdin=DEVNULL,
            )
            # Gunicorn reaps every child; Popen must not wait for a pid that may belong to somebody else by then.
            process.returncode = 0
            self.pid, self._pipe, self._told = process.pid, ends.pop(0), ""
        except Exception as error:
            self._died(now, f"cannot start error={type(error).__name__}: {error}")
        finally:
            for end in ends:
                os.close(end)

    def _given(self, writer: int) -> dict[str, Any]:
        return {
            # Python ignores entries that are no text, and so do we: some projects put a pathlib.Path there.
            "path": [place for place in sys.path if isinstance(place, str)],
            "parent": os.getpid(),
            "board_fd": self.board.fd,
            "rows": self.board.shape.rows,
            "status_bytes": self.board.shape.status_bytes,
            "pipe_fd": writer,
            "user": self.user,
            "healthy_seconds": self.healthy_seconds,
            "settings": {name: getattr(self.policy, name) for name in EXPORTER_SETTINGS},
        }

    def _listen(self, now: float) -> None:
        while self._pipe is not None:
            try:
                chunk = os.read(self._pipe, 65536)
            except BlockingIOError:
                return
            except OSError:
                # The app closed every descriptor it found; this number may be somebody else's by now.
                chunk = b""
            else:
                if not chunk:
                    os.close(self._pipe)
            if not chunk:
                self._pipe = None
                self._died(now, f"ended pid={self.pid}")
                self.pid = 0
                return
            *lines, self._pending = (self._pending + chunk).split(b"\n")
            for text in lines:
                self.tell(text.decode("utf-8", "replace"))

    def _died(self, now: float, what: str) -> None:
        if now - self._started_at > STABLE_SECONDS:
            self._backoff_seconds = FIRST_BACKOFF_SECONDS
        self._not_before = now + self._backoff_seconds
        if what != self._told:
            self.tell(f"exporter {what} next_start_in_seconds={self._backoff_seconds:g}")
        self._told = what
        self._backoff_seconds = min(2 * self._backoff_seconds, MAX_BACKOFF_SECONDS)


EXPORTER_SETTINGS = (
    "metrics",
    "metrics_cert_file",
    "metrics_key_file",
    "metrics_bearer_token_file",
    "user_metrics",
)
