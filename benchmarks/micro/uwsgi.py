"""uWSGI from PyPI, built once into a virtual environment of its own under benchmarks/out/."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.demo_server import EXAMPLE_APP, Server, free_port, started, wait_for_answer
from benchmarks.micro.options import OUT, Tell
from benchmarks.micro.venv import make

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


def build(tell: Tell) -> None:
    """Make sure that the binary is there; venv.NotBuiltError where it cannot be."""
    if BINARY.exists():
        return
    tell(f"building uWSGI {VERSION} in {HOME}, about a minute")
    make(HOME, (f"uwsgi=={VERSION}", "flask>=3.0"))


def command(bind: str, options: Sequence[str], module: str = "wsgi:app") -> list[str]:
    """The whole command line; `bind` is HOST:PORT or the path of a UNIX socket."""
    return [
        str(BINARY), "--http-socket", bind, "--home", str(HOME), "--module", module, "--master",
        "--die-on-term", "--need-app", "--single-interpreter", "--disable-logging", "--listen", str(listen()), *options,
    ]  # fmt: skip


def listen() -> int:
    """LISTEN, or what the kernel allows: uWSGI does not start with more."""
    return min(LISTEN, int(Path("/proc/sys/net/core/somaxconn").read_text()))


@contextmanager
def serving(options: Sequence[str]) -> Iterator[Server]:
    """The example app, loaded before the workers are forked, as `preload_app` does."""
    with tempfile.TemporaryDirectory(prefix="autotune-") as folder:
        port = free_port()
        with started(command(f"127.0.0.1:{port}", options), EXAMPLE_APP, Path(folder) / "log.txt", port) as server:
            wait_for_answer(server, port, "/healthz")
            yield server
