"""A server that answers what a test wrote, over TCP or a UNIX socket, and the command run in this process."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gunicorn_autotune.exporter.health import status_json
from gunicorn_autotune.exporter.rows import BoardReading
from tests.unit.exporter.boards import a_document, a_small_board

Pages = dict[str, tuple[int, str]]


def a_whole_document(reading: BoardReading | None = None, **changes: Any) -> dict[str, Any]:
    """/status.json as the exporter makes it, some keys replaced."""
    return status_json(a_document(), reading or a_small_board(), 1001.0, 30.0) | changes


class _UnixServer(ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)


@contextmanager
def answering(pages: Pages, path: str = "", token: str = "") -> Iterator[str]:
    """The server's address while it answers `pages`; with `token`, 401 to whoever does not bring it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, text = pages.get(self.path, (404, "404"))
            if token and self.headers.get("Authorization") != f"Bearer {token}":
                code, text = 401, "401"
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

        def address_string(self) -> str:
            return ""

    server = _UnixServer(path, Handler) if path else ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield path or f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def healthy_pages(document: dict[str, Any]) -> Pages:
    """What an exporter answers while all is well."""
    probes = {"/-/healthy": (200, "healthy\n"), "/-/ready": (200, "ready\n")}
    return {"/status.json": (200, json.dumps(document) + "\n")} | probes
