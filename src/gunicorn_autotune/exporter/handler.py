"""One HTTP request: which path answers what. GET and HEAD only, one request per connection, nothing is logged."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from gunicorn_autotune.exporter import health, render

if TYPE_CHECKING:
    from gunicorn_autotune.exporter.server import Server

HEAD_BYTES = 16 << 10
"""Request line and headers together."""
PLAIN = "text/plain; charset=utf-8"
INDEX = """\
gunicorn-autotune exporter

/metrics      for Prometheus (text or OpenMetrics)
/status.json  what the controller sees and decides, with one entry per worker
/-/healthy    200 while the arbiter ticks
/-/ready      200 while a worker can take requests
"""


class _Head(io.RawIOBase):
    """The head of a request, at most HEAD_BYTES of it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = HEAD_BYTES

    def readline(self, size: int | None = -1) -> bytes:
        """One line; LineTooLong when the head is over its limit."""
        line: bytes = self._stream.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("request head")
        return line

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()


class Handler(BaseHTTPRequestHandler):
    """The exporter's answers."""

    server: Server
    protocol_version = "HTTP/1.1"
    error_content_type = PLAIN
    error_message_format = "%(code)d %(message)s\n"

    def setup(self) -> None:
        """Bound what a client may send."""
        super().setup()
        self.rfile: Any = _Head(self.rfile)

    def handle(self) -> None:
        """Exactly one request: an idle connection would hold one of few threads."""
        self.close_connection = True
        try:
            self.handle_one_request()
        except LineTooLong:
            self.command = self.requestline = ""
            self.request_version = self.protocol_version
            self.send_error(431)

    def log_message(self, format: str, *args: Any) -> None:
        """Request lines are nobody's business."""

    def version_string(self) -> str:
        """The Server header, without versions."""
        return "gunicorn-autotune"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._refuse_method
        raise AttributeError(name)

    def do_GET(self) -> None:  # noqa: N802
        """Answer the path."""
        path = self.path.partition("?")[0]
        answer = ANSWERS.get(path)
        if answer is None:
            self._send(404, b"404 no such path; / lists them\n")
        elif path in OPEN_PATHS or self._admitted():
            answer(self)

    do_HEAD = do_GET  # noqa: N815

    def _refuse_method(self) -> None:
        self._send(405, b"405 GET and HEAD only\n", Allow="GET, HEAD")

    def _admitted(self) -> bool:
        token = self.server.token
        if token is None:
            return True
        try:
            admitted = token.admits(self.headers.get("Authorization", ""))
        except (OSError, ValueError) as error:
            self.server.tell_once(f"exporter: cannot read bearer token file={token.path} error={error}")
            self._send(503, b"503 the bearer token file cannot be read\n")
            return False
        if not admitted:
            self._send(401, b"401 bearer token needed\n", WWW_Authenticate='Bearer realm="gunicorn-autotune"')
        return admitted

    def _send(self, code: int, body: bytes, kind: str = PLAIN, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _index(self) -> None:
        self._send(200, INDEX.encode())

    def _metrics(self) -> None:
        form = render.negotiate(self.headers.get("Accept", ""))
        body = self.server.metrics(form)
        if render.accepts_gzip(self.headers.get("Accept-Encoding", "")):
            self._send(200, render.gzipped(body), form.value, Content_Encoding="gzip", Vary="Accept, Accept-Encoding")
        else:
            self._send(200, body, form.value, Vary="Accept, Accept-Encoding")

    def _status(self) -> None:
        document, reading = self.server.read()
        whole = health.status_json(document, reading, time.monotonic(), self.server.settings.healthy_seconds)
        body = json.dumps(whole, allow_nan=False).encode() + b"\n"
        self._send(503 if document is None else 200, body, "application/json")

    def _healthy(self) -> None:
        document = self.server.source.status()
        self._verdict("healthy", health.sick(document, time.monotonic(), self.server.settings.healthy_seconds))

    def _ready(self) -> None:
        self._verdict("ready", health.unready(*self.server.read()))

    def _verdict(self, good: str, why_not: str | None) -> None:
        self._send(503 if why_not else 200, f"{why_not or good}\n".encode())


OPEN_PATHS = ("/-/healthy", "/-/ready")
"""Probes of an orchestrator carry no token."""

ANSWERS: dict[str, Callable[[Handler], None]] = {
    "/": Handler._index,
    "/metrics": Handler._metrics,
    "/status.json": Handler._status,
    "/-/healthy": Handler._healthy,
    "/-/ready": Handler._ready,
}
