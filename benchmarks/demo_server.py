"""Servers for the demo and the benchmarks: started on loopback in a folder of their own, ended by pid."""

from __future__ import annotations

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLE_APP = Path(__file__).parents[1] / "example_app"
START_SECONDS = 20.0
STOP_SECONDS = 5.0
PR_SET_PDEATHSIG = 1


class NotStartedError(RuntimeError):
    """A server did not come up; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Server:
    """A running server; `metrics_port` is 0 where there is no exporter."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int
    metrics_port: int = 0

    @property
    def pid(self) -> int:
        """Of the arbiter, or of whatever the command started."""
        return self.process.pid

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of its log, indented."""
        text = self.log.read_text("utf-8", "replace").splitlines()
        return "\n".join("    " + line for line in text[-lines:]) or "    (the log is empty)"


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def gunicorn_config(
    port: int, lines: Sequence[str] = (), settings: dict[str, Any] | None = None, metrics_port: int = 0
) -> str:
    """A gunicorn.conf.py: `lines` of Gunicorn's own settings; `settings` are autotune's, None is plain Gunicorn."""
    text = [f"bind = '127.0.0.1:{port}'", "control_socket_disable = True", "graceful_timeout = 2", *lines]
    if settings is not None:
        given = {"metrics": f"127.0.0.1:{metrics_port}" if metrics_port else "off"} | settings
        text = ["from gunicorn_autotune import install", *text, f"install(globals(), **{given!r})"]
    return "\n".join(text) + "\n"


@contextmanager
def gunicorn(
    lines: Sequence[str] = (), settings: dict[str, Any] | None = None, *, app: str = "wsgi:app",
    directory: Path = EXAMPLE_APP, path: str = "/healthz",
) -> Iterator[Server]:  # fmt: skip
    """Gunicorn in `directory`, answering on `path` by the time this yields; with autotune and its exporter if told."""
    with tempfile.TemporaryDirectory(prefix="autotune-") as folder:
        port, metrics_port = free_port(), free_port() if settings is not None else 0
        config = Path(folder) / "gunicorn.conf.py"
        config.write_text(gunicorn_config(port, lines, settings, metrics_port))
        command = [sys.executable, "-m", "gunicorn", "-c", str(config), app]
        with started(command, directory, Path(folder) / "log.txt", port, metrics_port) as server:
            wait_for_answer(server, port, path)
            if metrics_port:
                wait_for_answer(server, metrics_port, "/-/ready")
            yield server


@contextmanager
def started(
    command: Sequence[str], directory: Path, log: Path, port: int, metrics_port: int = 0
) -> Iterator[Server]:  # fmt: skip
    """The command as a process group of its own that does not outlive us, whatever ends us."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            command, cwd=directory, env=environment(), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            start_new_session=True, preexec_fn=die_with_parent,
        )  # fmt: skip
    try:
        yield Server(process, log, port, metrics_port)
    finally:
        stop(process)


def environment() -> dict[str, str]:
    """Ours, without settings of Gunicorn, autotune or prometheus_client that would leak in."""
    prefixes = ("GUNICORN", "PROMETHEUS_", "UWSGI_")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(prefixes)}
    return kept | {"PYTHONUNBUFFERED": "1"}


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def die_with_parent() -> None:
    """Have the kernel send this process TERM when its parent ends, however it ends (Linux)."""
    # Runs between fork and exec: nothing may be imported or logged here.
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(process: subprocess.Popen[bytes]) -> None:
    """TERM to the process; what is left of its group after STOP_SECONDS is killed."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for_answer(server: Server, port: int, path: str, seconds: float = START_SECONDS) -> None:
    """Return with the first 200; NotStartedError when the server ends or `seconds` pass."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise NotStartedError(f"it ended with exit code {server.process.returncode}:\n{server.log_tail()}")
        with suppress(OSError, http.client.HTTPException):
            if status_of(port, path) == 200:
                return
        time.sleep(0.02)
    raise NotStartedError(f"no answer from port {port}{path} in {seconds:g} s:\n{server.log_tail()}")


def status_of(port: int, path: str) -> int:
    """The status code of one GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
