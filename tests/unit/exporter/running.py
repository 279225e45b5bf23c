"""A running exporter for tests, and the smallest client for it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.server import UnixConnection, wait_for

ROOT = Path(__file__).parents[3]


@dataclass
class Exporter:
    """The process, what it told, and where it listens."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def told(self, beginning: str) -> str | None:
        """The first line that begins so."""
        return next((line for line in self.lines if line.startswith(beginning)), None)

    def wait_for_line(self, beginning: str) -> str:
        """That line, waited for."""
        return wait_for(lambda: self.told(beginning), f"line {beginning!r} in {self.lines}")

    @property
    def port(self) -> int:
        """The port it listens at."""
        line = self.wait_for_line("exporter listening")
        return int(line.removesuffix("/metrics").rpartition(":")[2])


@dataclass(frozen=True)
class Response:
    """Status, headers (lower case) and body."""

    status: int
    headers: dict[str, str]
    body: bytes


def fetch(
    where: int | str, path: str = "/metrics", method: str = "GET", headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None, host: str = "127.0.0.1",
) -> Response:  # fmt: skip
    """One request to a port, or to a unix socket."""
    if isinstance(where, str):
        connection: http.client.HTTPConnection = UnixConnection(where, timeout=10)
    elif tls is not None:
        connection = http.client.HTTPSConnection(host, where, timeout=10, context=tls)
    else:
        connection = http.client.HTTPConnection(host, where, timeout=10)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, named, response.read())
    finally:
        connection.close()


def raw(port: int, sent: bytes) -> socket.socket:
    """A connection that has sent `sent` and waits."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(sent)
    return connection


@contextmanager
def exporting(metrics: str = "127.0.0.1:0", **settings: Any) -> Iterator[Exporter]:
    """An exporter on figures from paper in a process of its own; ended by pid."""
    command = [sys.executable, "-m", "tests.unit.exporter.fake_exporter", json.dumps({"metrics": metrics} | settings)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    exporter = Exporter(process)
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: exporter.lines.extend(line.rstrip() for line in process.stdout or ()))
    reader.start()
    try:
        yield exporter
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        reader.join(10)
        process.stdout.close()
