"""A real Gunicorn for tests: started in a folder of its own, watched through its log, ended by pid."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
DEADLINE_SECONDS = 60.0
GUNICORN = os.environ.get("AUTOTUNE_TEST_PYTHON", sys.executable)
"""The interpreter whose Gunicorn is tested: `make test-matrix` points it at venvs with other versions."""
APPS = Path(__file__).parent / "apps"
SOURCE = Path(__file__).parents[1] / "src"
"""The package beside these tests is the one that serves, wherever the interpreter's own installation points."""


def _ports() -> Iterator[int]:
    """Ports below the kernel's ephemeral range, other ones in every process of a parallel run."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 11000 + number * 2000 + os.getpid() % 1000
    yield from itertools.cycle(range(first, first + 1000))


_candidates = _ports()


def free_port() -> int:
    """A TCP port of loopback that nobody listens on, and that no other test is given soon."""
    for port in _candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("the iterator never ends")


def wait_for(read: Callable[[], T], what: str, seconds: float = DEADLINE_SECONDS) -> T:
    """The first truthy `read()`, or a failure that says what never happened. An OSError counts as not yet."""
    deadline = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = read()
            if last:
                return last
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            last = error
        time.sleep(0.02)
    raise AssertionError(f"after {seconds:g} s still not: {what} (last: {last!r})")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """As the base class, to the socket file."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@dataclass
class Server:
    """A running Gunicorn with autotune."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    metrics_port: int
    unix_path: str = ""
    held: list[socket.socket] = field(default_factory=list)

    @property
    def log(self) -> str:
        """Everything it has said so far."""
        return (self.folder / "log.txt").read_text("utf-8", "replace")

    def wait_for_log(self, pattern: str, count: int = 1, seconds: float = DEADLINE_SECONDS) -> str:
        """The `count`-th match of `pattern` in the log."""
        matches = wait_for(
            lambda: found if len(found := list(re.finditer(pattern, self.log))) >= count else None,
            f"{pattern!r} x{count} in the log:\n{self.log[-4000:]}",
            seconds,
        )
        return matches[count - 1].group(0)

    def connection(self, timeout: float = 20.0) -> http.client.HTTPConnection:
        """To the app."""
        if self.unix_path:
            return UnixConnection(self.unix_path, timeout)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def get(self, path: str = "/", headers: dict[str, str] | None = None, timeout: float = 20.0) -> tuple[int, bytes]:
        """Status and body of one request on a connection of its own."""
        connection = self.connection(timeout)
        try:
            connection.request("GET", path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def hold(self, path: str) -> socket.socket:
        """Send a request and leave it running; closed with the server."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        self.held.append(client)
        return client

    def exporter(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the exporter."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def status(self) -> dict[str, Any]:
        """/status.json."""
        code, text = self.exporter("/status.json")
        if code != 200:
            raise OSError(f"/status.json answered {code}")
        document: dict[str, Any] = json.loads(text)
        return document

    def metric(self, sample: str) -> float:
        """The value of one sample, named as it stands in /metrics."""
        for text in self.exporter("/metrics")[1].splitlines():
            if text.startswith(sample + " "):
                return float(text.rsplit(" ", 1)[1])
        raise KeyError(sample)

    def wait_for_status(
        self, ask: Callable[[dict[str, Any]], Any], what: str, seconds: float = DEADLINE_SECONDS
    ) -> Any:
        """The first truthy `ask(status)`."""
        return wait_for(lambda: ask(self.status()), what + f"\n{self.log[-3000:]}", seconds)

    def wait_for_ready(self, workers: int, seconds: float = DEADLINE_SECONDS) -> list[int]:
        """Pids once exactly `workers` are ready and none leaves or boots."""
        ready = ("idle", "busy", "unknown")
        return wait_for(
            lambda: pids if len(pids := self.pids(*ready)) == workers == len(self.status()["workers"]) else None,
            f"{workers} ready workers\n{self.log[-3000:]}",
            seconds,
        )

    def wait_for_sizes(self) -> None:
        """Until every worker's memory has been read; a read that took long postpones the next one."""
        self.wait_for_status(
            lambda status: all(isinstance(worker["uss_bytes"], int) for worker in status["workers"]), "sizes read", 90
        )

    def pids(self, *states: str) -> list[int]:
        """Pids of the workers in one of `states`, all when none is named."""
        workers = self.status()["workers"]
        return [worker["pid"] for worker in workers if not states or worker["state"] in states]

    def workers(self) -> list[int]:
        """Pids of the worker processes, as the kernel tells; for a Gunicorn without autotune too."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        exporter = b"gunicorn_autotune.runtime.exporter_main"
        return [int(child) for child in children if exporter not in Path(f"/proc/{child}/cmdline").read_bytes()]

    def wait_for_workers(self, count: int, seconds: float = DEADLINE_SECONDS) -> list[int]:
        """Pids once there are `count`, and the app answers."""
        wait_for(lambda: self.get("/")[0] == 200, f"an answer\n{self.log[-3000:]}", seconds)
        return wait_for(
            lambda: pids if len(pids := self.workers()) == count else None,
            f"{count} workers\n{self.log[-3000:]}",
            seconds,
        )

    def signal(self, sig: int) -> None:
        """Send a signal to the arbiter."""
        self.process.send_signal(sig)

    def stop(self) -> int:
        """End it: TERM, then KILL after a while. Returns the exit code."""
        for client in self.held:
            client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait(10)


def write_config(folder: Path, text: str) -> Path:
    """A gunicorn.conf.py in `folder`."""
    path = folder / "gunicorn.conf.py"
    path.write_text(text)
    return path


def command(arguments: list[str]) -> list[str]:
    """A Gunicorn command line for the tested interpreter."""
    return [GUNICORN, "-m", "gunicorn", *arguments]


def environment(extra: dict[str, str]) -> dict[str, str]:
    """Of a child: ours without settings that would leak in from outside."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("GUNICORN", "PROMETHEUS_"))}
    return kept | {"PYTHONPATH": f"{APPS}{os.pathsep}{SOURCE}", "PYTHONUNBUFFERED": "1"} | extra


@contextmanager
def launched(
    folder: Path, *arguments: str, env: dict[str, str] | None = None, app: str = "plain:app"
) -> Iterator[Server]:
    """Gunicorn with these arguments in `folder`, on ports of its own; whether autotune comes along is up to them."""
    port, metrics_port = free_port(), free_port()
    # The control socket of 25.1 and later lies in the home folder.
    place = {"GUNICORN_AUTOTUNE_METRICS": f"127.0.0.1:{metrics_port}", "HOME": str(folder)}
    words = command(["-b", f"127.0.0.1:{port}", "--graceful-timeout", "5", *arguments, app])
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(words, cwd=folder, env=environment(place | (env or {})), stdout=log, stderr=log)
    server = Server(process, folder, port, metrics_port)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def serving(
    folder: Path, config: str = "", *, app: str = "plain:app", env: dict[str, str] | None = None, unix: bool = False,
    ready: bool = True, **settings: Any,
) -> Iterator[Server]:  # fmt: skip
    """Gunicorn with autotune in `folder`: `config` is more of gunicorn.conf.py, `settings` are autotune's own."""
    port, metrics_port = free_port(), free_port()
    unix_path = str(folder / "g.sock") if unix else ""
    bind = f"unix:{unix_path}" if unix else f"127.0.0.1:{port}"
    settings = {"metrics": f"127.0.0.1:{metrics_port}", "max_workers": 8} | settings
    path = write_config(
        folder,
        "from gunicorn_autotune import install\n"
        f"bind = {bind!r}\n"
        # Gunicorn sends SIGTERM once; a worker that has just been forked misses it and is waited for this long.
        "graceful_timeout = 5\n"
        f"control_socket = {str(folder / 'gunicorn.ctl')!r}\n"
        f"{config}\n"
        f"install(globals(), **{settings!r})\n",
    )
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            command(["-c", str(path), app]), cwd=folder, env=environment(env or {}), stdout=log, stderr=log
        )
    server = Server(process, folder, port, metrics_port, unix_path)
    try:
        if ready:
            wait_for(lambda: server.status()["ready"], "a ready worker")
        yield server
    finally:
        server.stop()
