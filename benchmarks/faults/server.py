"""A Gunicorn with autotune that notes when its workers come up and go: active, or only observing Gunicorn's own way."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.demo_server import NotStartedError, Server, free_port, started, wait_for_answer
from benchmarks.faults.group import MemoryGroup, joining
from benchmarks.faults.options import APPS, NotRunError
from benchmarks.openloop import Target

NOTES = """
def _note(what, pid):
    file = os.open({events!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, b"%.4f %s %d\\n" % (time.monotonic(), what, pid))
    os.close(file)
def post_worker_init(worker):
    _note(b"up", worker.pid)
def worker_exit(server, worker):
    _note(b"down", worker.pid)
def child_exit(server, worker):
    _note(b"down", worker.pid)
"""
"""Hooks of the benchmark's own: exact where looks ten times a second may miss a short gap, and the same for both."""


@dataclass(frozen=True)
class Setup:
    """What is started."""

    lines: tuple[str, ...]
    """Of gunicorn.conf.py."""
    settings: Mapping[str, Any]
    """Autotune's own."""
    environment: Mapping[str, str]
    """Of the workers."""
    app: str = "pages:app"
    directory: Path = APPS
    path: str = "/"
    unix: bool = False
    notes: bool = True

    def told(self) -> dict[str, Any]:
        """For the results."""
        own = {name: value for name, value in self.settings.items() if name != "flight_record"}
        return {"gunicorn": list(self.lines), "autotune": own, "app": self.app, "environment": dict(self.environment)}


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    server: Server
    folder: Path
    unix: str
    """Its socket; empty for TCP."""

    @property
    def target(self) -> Target:
        """Straight to it."""
        if self.unix:
            return Target(self.unix)
        return Target(("127.0.0.1", self.server.port), "/", f"127.0.0.1:{self.server.port}")

    @property
    def events(self) -> str:
        """The notes of its hooks."""
        path = self.folder / "events.txt"
        return path.read_text() if path.exists() else ""

    @property
    def log(self) -> str:
        """Everything it has said."""
        return self.server.log.read_text("utf-8", "replace")


def config(setup: Setup, folder: Path, bind: str, metrics_port: int, group: MemoryGroup | None) -> str:
    """A gunicorn.conf.py."""
    settings = dict(setup.settings) | {"metrics": f"127.0.0.1:{metrics_port}"}
    if "flight_record" in settings:  # must be absolute
        settings["flight_record"] = str(folder / settings["flight_record"])
    told = dict(setup.environment) | {"FAULTS_SEEN": str(folder / "seen")}
    environment = [f"{name}={value}" for name, value in told.items()]
    return "\n".join(
        [
            "import os, time",
            "from gunicorn_autotune import install",
            *joining(group),
            f"bind = {bind!r}",
            "control_socket_disable = True",
            f"raw_env = {environment!r}",
            *setup.lines,
            NOTES.format(events=str(folder / "events.txt")) if setup.notes else "",
            f"install(globals(), **{settings!r})",
            "",
        ]
    )


@contextmanager
def serving(python: str, setup: Setup, group: MemoryGroup | None = None) -> Iterator[Running]:
    """Answering by the time this yields; NotRunError when it does not come up."""
    with tempfile.TemporaryDirectory(prefix="autotune-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx reaches for the socket
        port, metrics_port = free_port(), free_port()
        unix = str(folder / "g.sock") if setup.unix else ""
        path = folder / "gunicorn.conf.py"
        path.write_text(config(setup, folder, f"unix:{unix}" if unix else f"127.0.0.1:{port}", metrics_port, group))
        command = [python, "-m", "gunicorn", "-c", str(path), setup.app]
        with started(command, setup.directory, folder / "log.txt", port, metrics_port) as server:
            try:
                if not unix:
                    wait_for_answer(server, port, setup.path)
                wait_for_answer(server, metrics_port, "/-/ready")
            except NotStartedError as error:
                raise NotRunError(f"gunicorn: {error}") from None
            yield Running(server, folder, unix)
