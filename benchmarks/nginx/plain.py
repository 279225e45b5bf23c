"""Gunicorns without autotune, one or many, for what depends on Gunicorn and nginx alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.demo_server import Server, started

APPS = Path(__file__).parent / "apps"
THREADS = 4
CLASSES = {"sync": (), "gthread": (f"threads = {THREADS}",), "gevent": (), "asgi": ()}
"""Their further lines of gunicorn.conf.py."""
TCP, UNIX = "TCP", "UNIX"


@dataclass(frozen=True)
class Plain:
    """One server."""

    worker_class: str
    way: str
    """TCP or UNIX."""
    keepalive: int
    workers: int = 2
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def app(self) -> str:
        """Of apps/."""
        return "asgi_answer:app" if self.worker_class == "asgi" else "answer:app"

    def config(self, address: str) -> str:
        """A gunicorn.conf.py."""
        lines = [
            f"bind = {address!r}",
            f"workers = {self.workers}",
            f"worker_class = {self.worker_class!r}",
            *CLASSES[self.worker_class],
            f"keepalive = {self.keepalive}",
            "graceful_timeout = 2",
            "control_socket_disable = True",
            f"raw_env = {[f'{name}={value}' for name, value in self.environment.items()]!r}",
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Running:
    """A started server; it may not answer yet."""

    server: Server
    address: str
    """As nginx names it."""


@contextmanager
def plains(python: str, all_made: Sequence[Plain], folder: Path) -> Iterator[list[Running]]:
    """Side by side, each its own server; ended on the way out."""
    folder.chmod(0o755)  # nginx reaches for the sockets
    ports = free_ports(len(all_made))
    with ExitStack() as stack:
        running = []
        for number, (made, port) in enumerate(zip(all_made, ports, strict=True)):
            unix = f"unix:{folder}/s{number}.sock"
            address = unix if made.way == UNIX else f"127.0.0.1:{port}"
            config = folder / f"s{number}.conf.py"
            config.write_text(made.config(address))
            command = [python, "-m", "gunicorn", "-c", str(config), made.app]
            server = stack.enter_context(started(command, APPS, folder / f"s{number}.txt", port))
            running.append(Running(server, address))
        yield running


def free_ports(count: int) -> list[int]:
    """So many TCP ports of loopback, all different: asked for one by one, the kernel may name one twice."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
