"""A WSGI app that tells what nginx handed it: `/told` as JSON, `/events/` bit by bit, `/json` worth compressing."""

import json
import time

TOLD = (
    "wsgi.url_scheme", "REMOTE_ADDR", "HTTP_HOST", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REQUEST_ID", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_SSL", "HTTP_CONNECTION", "SERVER_PROTOCOL",
    "REMOTE_PORT",
)  # fmt: skip


def app(environ, start_response):
    """Answer one request."""
    path = environ["PATH_INFO"]
    if path.startswith("/events/"):
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return _events()
    told = {name: environ.get(name) for name in TOLD}
    if path == "/json":
        told = {"rows": [f"row number {number}" for number in range(500)]}
    elif path == "/slow":
        time.sleep(0.3)
    body = json.dumps(told).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def _events():
    yield b"data: first\n\n"
    time.sleep(8)
    yield b"data: second\n\n"
