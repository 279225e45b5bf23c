"""A WSGI app whose answers go on: every path but `/` is a stream of server-sent events, one each tenth of a second."""

import time


def app(environ, start_response):
    """Answer one request."""
    if environ["PATH_INFO"] == "/":
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
        return [b"hello\n"]
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    return events()


def events():
    """Without an end."""
    while True:
        yield b"data: on\n\n"
        time.sleep(0.1)
