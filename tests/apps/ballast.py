"""A WSGI app for tests whose workers are large from the start."""

import os

BALLAST = bytearray(b"x") * int(os.environ.get("BALLAST_BYTES", "30000000"))


def app(environ, start_response):
    """Answer at once, with the worker's pid."""
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
