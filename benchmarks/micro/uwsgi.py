"""uWSGI from PyPI, built once into a virtual environment of its own under benchmarks/out/."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.demo_server import EXAMPLE_APP, Server, free_port, started, wait_for_answer
from benchmarks.micro.options import OUT, Tell

VERSION = "2.0.31"
HOME = OUT / f"uwsgi-{VERSION}"
BINARY = HOME / "bin" / "uwsgi"
LISTEN = 2048
"""As Gunicorn's backlog."""
BUSYNESS = (
    "--workers", "40", "--cheaper", "2", "--cheaper-initial", "2", "--cheaper-algo", "busyness",
    "--cheaper-overload", "1",
)  # fmt: skip
FASTER = (
    "--cheaper-step", "8", "--cheaper-busyness-backlog-alert", "5", "--cheaper-busyness-backlog-step", "8",
)  # fmt: skip
"""Set for speed: eight workers at a time instead of one, alarmed by 6 waiting requests instead of 34."""


class NotBuiltError(RuntimeError):
    """uWSGI could not be built here; the message is the last that pip said."""


def build(tell: Tell) -> None:
    """Make sure that the binary is there."""
    if BINARY.exists():
        return
    tell(f"building uWSGI {VERSION} in {HOME}, about a minute")
    OUT.mkdir(exist_ok=True)
    pip = [str(HOME / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", str(HOME)], [*pip, f"uwsgi=={VERSION}", "flask>=3.0"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotBuiltError(str(error)) from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
            raise NotBuiltError(lines[-1].strip() if lines else f"exit code {done.returncode}")


def command(port: int, options: Sequence[str]) -> list[str]:
    """The whole command line."""
    listen = min(LISTEN, int(Path("/proc/sys/net/core/somaxconn").read_text()))
    return [
        str(BINARY), "--http-socket", f"127.0.0.1:{port}", "--home", str(HOME), "--module", "wsgi:app", "--master",
        "--die-on-term", "--need-app", "--single-interpreter", "--disable-logging", "--listen", str(listen), *options,
    ]  # fmt: skip


@contextmanager
def serving(options: Sequence[str]) -> Iterator[Server]:
    """The example app, loaded before the workers are forked, as `preload_app` does."""
    with tempfile.TemporaryDirectory(prefix="autotune-") as folder:
        port = free_port()
        with started(command(port, options), EXAMPLE_APP, Path(folder) / "log.txt", port) as server:
            wait_for_answer(server, port, "/healthz")
            yield server
