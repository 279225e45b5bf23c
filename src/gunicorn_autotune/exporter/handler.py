"""One HTTP request: which path answers what. GET and HEAD only, one request per connection, nothing is logged."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response, made before its first byte is sent."""

    code: int
    body: bytes
    kind: str = PLAIN
    headers: tuple[tuple[str, str], ...] = ()


class _Head:
    """The head of a request, at most HEAD_BYTES of it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = HEAD_BYTES
        self.close = stream.close

    def readline(self, _size: int = -1) -> bytes:
        """One line; LineTooLong when the head is over its limit."""
        line: bytes = self._stream.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("request head")
        return line


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

    def parse_request(self) -> bool:
        """As the base class; from now on it is us who take the time."""
        understood = super().parse_request()
        self.server.await_client(self.connection, not understood)
        return understood

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The code and its usual words; the base class would quote the request."""
        super().send_error(code)

    def log_message(self, format: str, *args: Any) -> None:
        """Request lines are nobody's business."""

    def version_string(self) -> str:
        """The Server header, without versions."""
        return "gunicorn-autotune"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._refuse_method
        raise AttributeError(name)

    def do_GET(self) -> None:
        """Answer the path."""
        path = self.path.partition("?")[0]
        try:
            answer = self._answer(path)
        except Exception as error:
            self.server.tell_once(f"exporter: request failed path={path!a} error={type(error).__name__}: {error}")
            answer = Answer(500, b"500 the exporter failed; see the error log\n")
        self._send(answer)

    do_HEAD = do_GET  # noqa: N815

    def _refuse_method(self) -> None:
        self._send(Answer(405, b"405 GET and HEAD only\n", headers=(("Allow", "GET, HEAD"),)))

    def _answer(self, path: str) -> Answer:
        answers = ANSWERS.get(path)
        if answers is None:
            return Answer(404, b"404 no such path; / lists them\n")
        refusal = None if path in OPEN_PATHS else self._refusal()
        return refusal or answers(self)

    def _refusal(self) -> Answer | None:
        """What to answer without a valid bearer token; a token file that cannot be read lets nobody in."""
        token = self.server.token
        if token is None:
            return None
        try:
            admitted = token.admits(self.headers.get("Authorization", ""))
        except (OSError, ValueError) as error:
            self.server.tell_once(f"exporter: cannot read bearer token file={token.path} error={error}")
            return Answer(503, b"503 the bearer token file cannot be read\n")
        challenge = (("WWW-Authenticate", 'Bearer realm="gunicorn-autotune"'),)
        return None if admitted else Answer(401, b"401 bearer token needed\n", headers=challenge)

    def _send(self, answer: Answer) -> None:
        self.server.await_client(self.connection, True)
        self.send_response(answer.code)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in COMMON_HEADERS + answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _index(self) -> Answer:
        return Answer(200, INDEX.encode())

    def _metrics(self) -> Answer:
        form = render.negotiate(self.headers.get("Accept", ""))
        vary = (("Vary", "Accept, Accept-Encoding"),)
        body = self.server.metrics(form)
        if render.accepts_gzip(self.headers.get("Accept-Encoding", "")):
            return Answer(200, render.gzipped(body), form.value, (*vary, ("Content-Encoding", "gzip")))
        return Answer(200, body, form.value, vary)

    def _status(self) -> Answer:
        document, reading = self.server.read()
        whole = health.status_json(document, reading, time.monotonic(), self.server.settings.healthy_seconds)
        body = json.dumps(whole, allow_nan=False).encode() + b"\n"
        return Answer(503 if document is None else 200, body, "application/json")

    def _healthy(self) -> Answer:
        document = self.server.source.status()
        return _verdict("healthy", health.sick(document, time.monotonic(), self.server.settings.healthy_seconds))

    def _ready(self) -> Answer:
        return _verdict("ready", health.unready(*self.server.read()))


def _verdict(good: str, why_not: str | None) -> Answer:
    return Answer(503 if why_not else 200, f"{why_not or good}\n".encode())


COMMON_HEADERS = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("Connection", "close"))

OPEN_PATHS = ("/-/healthy", "/-/ready")
"""Probes of an orchestrator carry no token."""

ANSWERS: dict[str, Callable[[Handler], Answer]] = {
    "/": Handler._index,
    "/metrics": Handler._metrics,
    "/status.json": Handler._status,
    "/-/healthy": Handler._healthy,
    "/-/ready": Handler._ready,
}
