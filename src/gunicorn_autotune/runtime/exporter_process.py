"""The exporter's process: started, watched and started again from the arbiter, without a thread.

A fresh interpreter, not a fork: it carries none of the app's memory, none of Gunicorn's sockets, and
prometheus_client never lands in the arbiter. It is no child of ours either: monitors count the arbiter's children and
take each for a worker, so what we start forks once more and ends. It tells us its pid and what happens through a pipe;
end of file on it means that the process is gone, whoever reaped it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import DEVNULL, Popen  # bound before a preloaded app may let gevent patch the module
from typing import Any

import gunicorn_autotune
from gunicorn_autotune.exporter.address import AUTO, LEAVE_SIGNAL, OFF, parse_address
from gunicorn_autotune.model.policy import Policy
from gunicorn_autotune.runtime.oom_score import EXPORTER_STEP
from gunicorn_autotune.scoreboard.board import Board

FIRST_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 60.0
STABLE_SECONDS = 30.0
HOME = str(Path(gunicorn_autotune.__path__[0]).absolute().parent)
"""Where the arbiter has this package from, found before anything changes the working directory."""
# PYTHONPATH may have shown the arbiter another version of us than the installed one: the exporter reads the same
# memory, so it takes the arbiter's, and nothing else that lies beside it.
# The arbiter's path comes last: after a USR2 upgrade of `python -m gunicorn` it begins with Gunicorn's own folder,
# whose `http` package would hide the standard one.
# At the limit of processes the second fork may fail: an exporter that is a child is better than none.
BOOTSTRAP = """'gunicorn-autotune: metrics exporter of {arbiter}'
import importlib.machinery, importlib.util, json, os, sys
try:
    os.fork() and os._exit(0)
except OSError:
    pass
given = json.loads(sys.argv[1])
sys.path += [place for place in given.pop('path') if place not in sys.path]
found = importlib.machinery.PathFinder.find_spec('gunicorn_autotune', [given.pop('home')])
if found:
    sys.modules[found.name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(sys.modules[found.name])
from gunicorn_autotune.runtime.exporter_main import main
main(**given)
"""
"""`ps` shows its first line. Old Gunicorns read exit code 3 or 4 of any child as "halt": the first ends with 0."""


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
        """0 until it has told us."""
        self.url = ""
        """Where it answers; empty while it does not."""
        self.kept = ""
        """The address that `metrics = "auto"` found, for the next exporter to have it again."""
        self._predecessor_pid = 0
        self._pipe: int | None = None
        self._pending = b""
        self._started_at = 0.0
        self._told = ""
        self._not_before = 0.0
        self._backoff_seconds = FIRST_BACKOFF_SECONDS

    @property
    def wanted(self) -> bool:
        """Whether the operator wants one."""
        return self.policy.metrics != OFF

    def inherit(self, address: str, master_pid: int) -> None:
        """In the new master of an upgrade: take the old one's address once it has left; what is none is left alone."""
        with contextlib.suppress(ValueError):
            self.kept, self._predecessor_pid = str(parse_address(address)), master_pid

    def tend(self, now: float) -> bool:
        """Pass on what it told, notice its death, start one when due. True when one was started."""
        self._listen(now)
        if self._pipe is not None or not self.wanted or now < self._not_before:
            return False
        self._start(now)
        return True

    def stop(self) -> None:
        """Ask the running one to leave, even if somebody has stopped it (SIGSTOP); a new one may be started at once."""
        self._listen(time.monotonic())  # its pid may be somebody else's once it has ended
        if self.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, LEAVE_SIGNAL)
                os.kill(self.pid, signal.SIGCONT)
        else:
            self.forget()  # too young to have told its pid: it leaves when it finds the pipe closed
        self._not_before = 0.0

    def forget(self) -> None:
        """Close our end of the pipe; in a forked worker, so that the arbiter's is the only one."""
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
            ends += _open_self()
            given = self._given(writer) | {"arbiter_fds": ends[2:]}
            process = Popen(
                [sys.executable, "-I", "-c", BOOTSTRAP.format(arbiter=os.getpid()), json.dumps(given)],
                pass_fds=(*self.board.fds, *ends[1:]),
                stdin=DEVNULL,
            )
            # Gunicorn reaps every child; Popen must not wait for a pid that may belong to somebody else by then.
            process.returncode = 0
            self.pid, self._pipe, self._told, self._pending, self.url = 0, ends.pop(0), "", b"", ""
        except Exception as error:
            self._died(now, f"cannot start error={type(error).__name__}: {error}")
        finally:
            for end in ends:
                os.close(end)

    def _given(self, writer: int) -> dict[str, Any]:
        return {
            "home": HOME,
            # Python ignores entries that are no text, and so do we: some projects put a pathlib.Path there.
            "path": [place for place in sys.path if isinstance(place, str)],
            "board_fds": self.board.fds,
            "rows": self.board.shape.rows,
            "status_bytes": self.board.shape.status_bytes,
            "pipe_fd": writer,
            "user": self.user,
            "healthy_seconds": self.healthy_seconds,
            "settings": {name: getattr(self.policy, name) for name in EXPORTER_SETTINGS},
            "oom_score_step": EXPORTER_STEP if self.policy.oom_workers_first == "on" else 0,
            "kept": self.kept,
            "predecessor_pid": self._predecessor_pid,
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
                self.pid, self.url = 0, ""
                return
            *lines, self._pending = (self._pending + chunk).split(b"\n")
            for text in lines:
                if self.pid:
                    self._hear(text)
                else:
                    self.pid = int(text)

    def _hear(self, text: bytes) -> None:
        """A line for the log, or where it listens."""
        if not text.startswith(LISTENING):
            self.tell(text.decode("utf-8", "replace"))
            return
        address, self.url = map(str, json.loads(text.removeprefix(LISTENING)))
        self._predecessor_pid = 0
        self.kept = address if self.policy.metrics == AUTO else ""

    def _died(self, now: float, what: str) -> None:
        if now - self._started_at > STABLE_SECONDS:
            self._backoff_seconds = FIRST_BACKOFF_SECONDS
        self._not_before = now + self._backoff_seconds
        if what != self._told:
            self.tell(f"exporter {what} next_start_in_seconds={self._backoff_seconds:g}")
        self._told = what
        self._backoff_seconds = min(2 * self._backoff_seconds, MAX_BACKOFF_SECONDS)


def _open_self() -> list[int]:
    """A descriptor by which the exporter sees our end (pidfd_open(2), Linux 5.3); none where that is not to be had.

    Then the pipe alone must do, whose end it does not see while a child that the app forked holds it open.
    """
    try:
        return [os.pidfd_open(os.getpid())]
    except (AttributeError, OSError):
        return []


LISTENING = b"\x02"
"""Begins the line of the pipe that is not for the log: address and URL as JSON. `printable` keeps others from it."""
EXPORTER_SETTINGS = (
    "metrics",
    "metrics_cert_file",
    "metrics_key_file",
    "metrics_bearer_token_file",
    "user_metrics",
    "oom_workers_first",
)
